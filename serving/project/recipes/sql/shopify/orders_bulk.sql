-- Shopify: orders as a bulk operation of the GraphQL Admin API writes them (JSON lines; children have __parentId).
-- Ask for: orders { edges { node { id name createdAt cancelledAt test displayFinancialStatus sourceName
--   customer { id defaultEmailAddress { marketingState marketingUpdatedAt } } totalPriceSet { shopMoney { amount currencyCode } }
--   refunds { id createdAt totalRefundedSet { shopMoney { amount currencyCode } } }
--   lineItems { edges { node { id title quantity } } } } } }
-- schema: https://shopify.dev/docs/api/usage/bulk-operations/queries
-- schema: https://shopify.dev/docs/api/admin-graphql/latest/objects/Order
-- files: *.json*, *.ndjson => read_json({files}, format = 'newline_delimited', filename = true,
--   columns = {id: 'VARCHAR', __parentId: 'VARCHAR', createdAt: 'VARCHAR', cancelledAt: 'VARCHAR', test: 'VARCHAR',
--   displayFinancialStatus: 'VARCHAR', sourceName: 'VARCHAR', customer: 'JSON', totalPriceSet: 'JSON',
--   refunds: 'JSON', title: 'VARCHAR', totalRefundedSet: 'JSON'})
-- looks_right: id like 'gid://shopify/%'
--
-- Lines with __parentId belong to the order of that id, whatever order lines come in: items give the detail.
-- Whether the customer is subscribed to e-mail is the attribute email_opt_in, from when that last changed.
-- Test orders are left out, and orders without a customer. An order that was cancelled before it was paid counts as
-- refunded when it was cancelled; money that went back counts on its own day.
-- ja: Shopify：GraphQL Admin APIの一括操作（bulk operation）が書く注文（JSON Lines、子の行に __parentId）。
-- ja: 問い合わせる項目：orders { edges { node { id name createdAt cancelledAt test displayFinancialStatus sourceName
-- ja:   customer { id defaultEmailAddress { marketingState marketingUpdatedAt } } totalPriceSet { shopMoney { amount currencyCode } }
-- ja:   refunds { id createdAt totalRefundedSet { shopMoney { amount currencyCode } } }
-- ja:   lineItems { edges { node { id title quantity } } } } } }
-- ja: __parentId のある行は、その注文の商品として detail に入ります（行の順は問いません）。
-- ja: メールの購読状態は、最後に変わった日時から属性 email_opt_in になります。
-- ja: テスト注文と顧客のない注文は除きます。支払い前にキャンセルされた注文はキャンセル日時に返金とし、返金は返金日に数えます。
with lines as (select *, "__parentId" as parent from {rows}),
orders as (
  select *, regexp_extract(id, '\d+$') as number from lines
  where id like 'gid://shopify/Order/%' and parent is null
  qualify row_number() over (partition by id
    order by cancelledAt is null, length(cast(refunds as varchar)) desc nulls last, filename desc) = 1
),
items as (
  select parent, min_by(title, id) as title from lines where id like 'gid://shopify/LineItem/%' group by parent
),
real_orders as (
  select orders.* exclude (title), items.title, regexp_extract(customer ->> 'id', '\d+$') as customer_id,
         case when sourceName = 'pos' then 'store' else sourceName end as channel
  from orders left join items on items.parent = orders.id
  where lower(coalesce(test, 'false')) <> 'true' and (customer ->> 'id') is not null
    and coalesce(displayFinancialStatus, '') <> 'EXPIRED'
),
refunds as (
  select id as order_id, unnest(from_json(refunds, '["json"]')) as refund from orders where refunds is not null
  union all
  select parent, to_json({'id': id, 'createdAt': createdAt, 'totalRefundedSet': totalRefundedSet})
  from lines where id like 'gid://shopify/Refund/%'
),
money_back as (
  select order_id, refund ->> 'id' as id, refund ->> 'createdAt' as moment,
         refund -> 'totalRefundedSet' -> 'shopMoney' ->> 'amount' as amount
  from refunds
  where regexp_matches(coalesce(refund -> 'totalRefundedSet' -> 'shopMoney' ->> 'amount', ''), '[1-9]')
  qualify row_number() over (partition by order_id, refund ->> 'id') = 1
)
select customer_id, createdAt as occurred_at, 'purchase' as kind,
       totalPriceSet -> 'shopMoney' ->> 'amount' as value, channel, title as detail,
       totalPriceSet -> 'shopMoney' ->> 'currencyCode' as currency, 'shopify-' || number as event_id
from real_orders
union all
select customer_id, moment, 'refund', '-' || amount, channel, title, totalPriceSet -> 'shopMoney' ->> 'currencyCode',
       'shopify-' || number || '-refund-' || regexp_extract(money_back.id, '\d+$')
from money_back join real_orders on real_orders.id = money_back.order_id
union all
select customer_id, cancelledAt, 'refund', '-' || (totalPriceSet -> 'shopMoney' ->> 'amount'), channel, title,
       totalPriceSet -> 'shopMoney' ->> 'currencyCode', 'shopify-' || number || '-refund'
from real_orders
where cancelledAt is not null and displayFinancialStatus in ('VOIDED', 'PENDING', 'AUTHORIZED')
  and id not in (select order_id from money_back)
union all by name
select customer_id, coalesce(customer -> 'defaultEmailAddress' ->> 'marketingUpdatedAt', min(createdAt)) as occurred_at,
       'attribute.email_opt_in' as kind,
       case when (customer -> 'defaultEmailAddress' ->> 'marketingState') = 'SUBSCRIBED' then 'yes' else 'no' end as detail,
       'shopify-customer-' || customer_id || '-' ||
         coalesce(customer -> 'defaultEmailAddress' ->> 'marketingUpdatedAt', 'first') as event_id
from real_orders where (customer -> 'defaultEmailAddress' ->> 'marketingState') is not null
group by customer_id, customer -> 'defaultEmailAddress' ->> 'marketingUpdatedAt',
         customer -> 'defaultEmailAddress' ->> 'marketingState'
