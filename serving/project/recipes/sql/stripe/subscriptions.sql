-- Stripe: subscriptions, as the API lists them with status=all (pages or JSON lines), files named subscriptions*.
-- schema: https://docs.stripe.com/api/subscriptions/object
-- files: *subscription*.json*, *subscription*.ndjson =>
--   read_json_objects({files}, format = 'auto', filename = true)
-- looks_right: (json ->> 'object') = 'subscription' or (json ->> '$.data[0].object') = 'subscription'
--
-- ended_at is when a customer left. canceled_at moves with later updates of the request and is not read: the
-- decision comes from events.sql. A trial starts a contract only when it ends without an end of the subscription.
-- Subscriptions whose first payment failed (incomplete, incomplete_expired) and test mode are left out.
-- The amount is what all items cost a month, in whole units of the currency (yen and the like have no hundredths).
-- ja: Stripe：APIで status=all として一覧したサブスクリプション（ページかJSON Lines）。ファイル名は subscriptions*。
-- ja: ended_at が離れた日時です。canceled_at は後の更新で動くため読みません（解約の決定は events.sql から分かります）。
-- ja: トライアルは、サブスクリプションが終わらずに終了したときだけ契約の開始とします。
-- ja: 最初の支払いに失敗したもの（incomplete、incomplete_expired）とテストモードは除きます。
-- ja: 金額は全項目の月額で、通貨の基本単位です（円などには補助単位がありません）。
with objects as (
  select unnest(from_json(json -> 'data', '["json"]')) as o, filename from {rows} where (json ->> 'object') = 'list'
  union all
  select json, filename from {rows} where (json ->> 'object') = 'subscription'
),
newest as (
  select * from objects where (o ->> 'livemode') = 'true'
  qualify row_number() over (partition by o ->> 'id'
    order by coalesce(try_cast(o ->> 'ended_at' as bigint), 0) desc, filename desc) = 1
),
subscriptions as (
  select o ->> 'id' as id, coalesce(o -> 'customer' ->> 'id', o ->> 'customer') as customer, o ->> 'status' as status,
         try_cast(o ->> 'start_date' as bigint) as start, try_cast(o ->> 'created' as bigint) as created,
         try_cast(o ->> 'trial_start' as bigint) as trial_start, try_cast(o ->> 'trial_end' as bigint) as trial_end,
         try_cast(o ->> 'ended_at' as bigint) as ended, upper(o ->> 'currency') as currency,
         coalesce(o ->> '$.items.data[0].price.nickname', o ->> '$.items.data[0].price.id',
                  o -> 'plan' ->> 'id') as plan,
         list_sum(list_transform(from_json(o -> 'items' -> 'data', '["json"]'), lambda i:
           coalesce(try_cast(i ->> 'quantity' as double), 1)
           * coalesce(try_cast(i -> 'price' ->> 'unit_amount_decimal' as double), try_cast(i -> 'price' ->> 'unit_amount' as double))
           / case i -> 'price' -> 'recurring' ->> 'interval' when 'year' then 12 when 'week' then 12 / 52.0
                  when 'day' then 12 / 365.0 else 1 end
           / coalesce(try_cast(i -> 'price' -> 'recurring' ->> 'interval_count' as double), 1))) as cost
  from newest
  where (o ->> 'status') not in ('incomplete', 'incomplete_expired')
),
dated as (
  select *, case when trial_end is not null then trial_end else coalesce(start, created) end as started,
         cost / case when currency in ('BIF', 'CLP', 'DJF', 'GNF', 'JPY', 'KMF', 'KRW', 'MGA', 'PYG', 'RWF', 'UGX',
                                       'VND', 'VUV', 'XAF', 'XOF', 'XPF') then 1
                     when currency in ('BHD', 'JOD', 'KWD', 'OMR', 'TND') then 1000 else 100 end as amount
  from subscriptions
),
contracts as (
  select *, status <> 'trialing' and (ended is null or ended > started) as began from dated
)
select customer as customer_id, make_timestamptz(started * 1000000) as occurred_at, 'started' as kind,
       amount as value, plan as detail, id as contract_id, currency, id || '-started' as event_id
from contracts where began
union all
select customer, make_timestamptz(ended * 1000000), 'cancelled', amount, plan, id, currency, id || '-ended'
from contracts where began and ended is not null
union all
select customer, make_timestamptz(trial_start * 1000000), 'trial_started', null, plan, id, currency, id || '-trial'
from contracts where trial_start is not null
