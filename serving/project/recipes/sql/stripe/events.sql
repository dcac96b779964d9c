-- Stripe: events, as the API lists them (pages or JSON lines), files named events*. The API keeps them for 30 days
-- only: save them at least once a month and keep the files.
-- schema: https://docs.stripe.com/api/events/object
-- schema: https://docs.stripe.com/api/events/types
-- files: *event*.json*, *event*.ndjson =>
--   read_json_objects({files}, format = 'auto', filename = true)
-- looks_right: (json ->> 'object') = 'event' or (json ->> '$.data[0].object') = 'event'
--
-- The decision to leave is the first event in which cancel_at_period_end turns true; later updates of the same
-- request, which move canceled_at, do not count. When it turns false again the decision is withdrawn, and the next
-- true is a new one. A failed payment is its own kind. Test mode is left out.
-- ja: Stripe：APIで一覧したイベント（ページかJSON Lines）。ファイル名は events*。APIに残るのは30日間だけなので、月に1回以上保存し、ファイルを残してください。
-- ja: 解約の決定は、cancel_at_period_end が true になった最初のイベントです。同じ依頼の後の更新（canceled_at が動く）は数えません。
-- ja: false に戻れば決定は取り消され、次の true は新しい決定です。支払いの失敗は別の種別です。テストモードは除きます。
with objects as (
  select unnest(from_json(json -> 'data', '["json"]')) as o from {rows} where (json ->> 'object') = 'list'
  union all
  select json from {rows} where (json ->> 'object') = 'event'
),
events as (
  select o ->> 'id' as id, o ->> 'type' as type, try_cast(o ->> 'created' as bigint) as created,
         o -> 'data' -> 'object' as thing, o -> 'data' -> 'previous_attributes' ->> 'cancel_at_period_end' as before
  from objects where (o ->> 'livemode') = 'true'
  qualify row_number() over (partition by o ->> 'id') = 1
),
requests as (
  select *, thing ->> 'cancel_at_period_end' as now,
         lag(thing ->> 'cancel_at_period_end') over (partition by thing ->> 'id' order by created, id) as event_before
  from events where type in ('customer.subscription.created', 'customer.subscription.updated')
),
turns as (
  -- What the event itself says of before comes first; else what the event before it said.
  -- ja: 変更前の値は、イベント自身にあればそれを、なければ1つ前のイベントから採る。
  select *, coalesce(before, event_before, 'false') as was from requests
)
select coalesce(thing -> 'customer' ->> 'id', thing ->> 'customer') as customer_id,
       make_timestamptz(created * 1000000) as occurred_at,
       case now when 'true' then 'cancel_requested' else 'cancel_withdrawn' end as kind,
       null::varchar as detail, thing ->> 'id' as contract_id, id as event_id
from turns where now <> was
union all
select coalesce(thing -> 'customer' ->> 'id', thing ->> 'customer'), make_timestamptz(created * 1000000),
       'payment_failed', thing ->> 'billing_reason', thing ->> 'subscription', id
from events where type = 'invoice.payment_failed'
