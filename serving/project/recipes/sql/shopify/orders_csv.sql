-- Shopify: orders exported from the admin (Orders, Export, "CSV for Excel, Numbers, or other spreadsheet programs").
-- schema: https://help.shopify.com/en/manual/fulfillment/managing-orders/exporting-orders
-- files: *.csv => read_csv({files}, header = true, all_varchar = true, delim = ',', quote = '"', escape = '"',
--   union_by_name = true, filename = true)
-- looks_right: "Name" is not null and "Created at" is not null and "Financial Status" is not null
--
-- An order is several lines, one for each item; totals are on the first alone. The customer is the e-mail address
-- in small letters (the file has no customer id): take the bulk export where you have it.
-- Orders paid through the Bogus Gateway are tests and left out; so are orders that were never paid and expired.
-- Whether the buyer accepts marketing is the attribute email_opt_in from that order on.
-- The file has no date of a refund: it counts from the cancellation, else from the order itself, so history before
-- the refund is a little wiser than it was. The bulk export has the dates.
-- ja: Shopify：管理画面から書き出した注文（注文管理 → エクスポート、「Excel、Numbers、その他のスプレッドシート用のCSV」）。
-- ja: 注文は商品ごとに複数の行になり、合計額は最初の行にだけあります。顧客IDがないため、小文字にしたメールアドレスを顧客とします。
-- ja: できれば一括操作（bulk）の書き出しを使ってください。Bogus Gatewayのテスト注文と、支払われずに失効した注文は除きます。
-- ja: マーケティングの同意は、その注文の日時から属性 email_opt_in になります。
-- ja: 返金日の列がないため、返金はキャンセル日時、なければ注文日時に数えます（返金日が分かるのは一括操作の書き出しだけです）。
with lines as (
  select * from {rows}
  union all by name
  select null::varchar as "Id", null::varchar as "Email", null::varchar as "Total", null::varchar as "Currency",
         null::varchar as "Cancelled at", null::varchar as "Refunded Amount", null::varchar as "Payment Method",
         null::varchar as "Accepts Marketing", null::varchar as "Source", null::varchar as "Location", null::varchar as "Financial Status" where false
),
orders as (
  -- The line that says most: the first of an order, from the file that knows of its cancellation and refunds.
  -- ja: いちばん多くを語る行：注文の最初の行を、キャンセルと返金の分かるファイルから採る。
  select *, coalesce(nullif("Id", ''), "Name") as number, lower(trim("Email")) as customer from lines
  where nullif("Total", '') is not null and nullif("Financial Status", '') is not null
  qualify row_number() over (partition by "Name"
    order by nullif("Cancelled at", '') is null, try_cast("Refunded Amount" as double) desc nulls last, filename desc) = 1
),
real_orders as (
  select * from orders
  where not regexp_matches(coalesce("Payment Method", ''), 'bogus|for testing', 'i')
    and lower("Financial Status") <> 'expired' and customer is not null and customer <> ''
)
select customer as customer_id, "Created at" as occurred_at, 'purchase' as kind,
       "Total" as value, case when lower("Source") = 'pos' then 'store' else "Source" end as channel,
       nullif("Location", '') as place, nullif("Currency", '') as currency, 'shopify-' || number as event_id
from real_orders
union all
select customer, coalesce(nullif("Cancelled at", ''), "Created at"), 'refund',
       '-' || case when regexp_matches(coalesce("Refunded Amount", ''), '[1-9]') then "Refunded Amount" else "Total" end,
       case when lower("Source") = 'pos' then 'store' else "Source" end, nullif("Location", ''), nullif("Currency", ''),
       'shopify-' || number || '-refund'
from real_orders
where regexp_matches(coalesce("Refunded Amount", ''), '[1-9]')
   or (nullif("Cancelled at", '') is not null and lower("Financial Status") = 'voided')
union all by name
select customer as customer_id, "Created at" as occurred_at,
       'attribute.email_opt_in' as kind, lower("Accepts Marketing") as detail, 'shopify-' || number || '-marketing' as event_id
from real_orders where nullif("Accepts Marketing", '') is not null
