-- Stripe: invoices, as the API lists them (pages or JSON lines), files named invoices*.
-- schema: https://docs.stripe.com/api/invoices/object
-- files: *invoice*.json*, *invoice*.ndjson =>
--   read_json_objects({files}, format = 'auto', filename = true)
-- looks_right: (json ->> 'object') = 'invoice' or (json ->> '$.data[0].object') = 'invoice'
--
-- What was paid is a purchase at the moment of payment; what a credit note gave back is a refund. Invoices over
-- nothing (trials), drafts, void ones and test mode are left out.
-- ja: Stripe：APIで一覧した請求書（ページかJSON Lines）。ファイル名は invoices*。
-- ja: 支払われた額は支払日時の購買、クレジットノートで戻した額は返金とします。
-- ja: 0円の請求書（トライアル）、下書き、無効なもの、テストモードは除きます。
with objects as (
  select unnest(from_json(json -> 'data', '["json"]')) as o, filename from {rows} where (json ->> 'object') = 'list'
  union all
  select json, filename from {rows} where (json ->> 'object') = 'invoice'
),
newest as (
  select * from objects where (o ->> 'livemode') = 'true'
  qualify row_number() over (partition by o ->> 'id' 
    order by (o ->> 'status') = 'paid' desc, coalesce(try_cast(o ->> 'post_payment_credit_notes_amount' as bigint), 0) desc,
             filename desc) = 1
),
invoices as (
  select o ->> 'id' as id, coalesce(o -> 'customer' ->> 'id', o ->> 'customer') as customer,
         coalesce(try_cast(o -> 'status_transitions' ->> 'paid_at' as bigint), try_cast(o ->> 'created' as bigint)) as paid_at,
         try_cast(o ->> 'amount_paid' as double) as paid,
         try_cast(o ->> 'post_payment_credit_notes_amount' as double) as credited,
         o ->> 'billing_reason' as reason, upper(o ->> 'currency') as currency
  from newest where (o ->> 'status') = 'paid'
),
amounts as (
  select *, case when currency in ('BIF', 'CLP', 'DJF', 'GNF', 'JPY', 'KMF', 'KRW', 'MGA', 'PYG', 'RWF', 'UGX', 'VND',
                                   'VUV', 'XAF', 'XOF', 'XPF') then 1
                 when currency in ('BHD', 'JOD', 'KWD', 'OMR', 'TND') then 1000 else 100 end as per_unit
  from invoices
)
select customer as customer_id, make_timestamptz(paid_at * 1000000) as occurred_at, 'purchase' as kind,
       paid / per_unit as value, reason as detail, currency, id as event_id
from amounts where paid > 0
union all
select customer, make_timestamptz(paid_at * 1000000), 'refund', -credited / per_unit, reason, currency, id || '-credit'
from amounts where credited > 0
