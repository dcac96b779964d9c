-- EC-CUBE 4: the table dtb_order, dumped as CSV with its column names (UTF-8), files named *dtb_order*.csv.
-- schema: https://doc4.ec-cube.net/spec_order
-- schema: https://ec4.umebius.com/tables/dtb_order
-- files: *dtb_order*.csv => read_csv({files}, header = true, all_varchar = true, delim = ',',
--   quote = '"', escape = '"', union_by_name = true, filename = true)
-- looks_right: id is not null and order_status_id is not null and "order_no" is not null
-- timezone: UTC
--
-- EC-CUBE 4 keeps moments in UTC. States: 1 new, 4 in work, 5 sent, 6 paid are orders; 3 cancelled and 9 returned are
-- orders that were taken back at their last change; 7 and 8 (payment or purchase not finished) are none.
-- Guests have no customer_id: one customer for each e-mail address ("guest:…").
-- There is no mark of test orders and staff: add a condition on email or customer_id where you have them.
-- ja: EC-CUBE 4：dtb_order テーブルを列名付きのCSV（UTF-8）に書き出したもの。ファイル名は *dtb_order*.csv。
-- ja: EC-CUBE 4 の日時は協定世界時（UTC）です。対応状況の 1 新規受付、4 対応中、5 発送済み、6 入金済みを注文とし、
-- ja: 3 キャンセルと 9 返品は最後の更新日時に取り消されたとします。7 決済処理中と 8 購入処理中は注文に数えません。
-- ja: 非会員には customer_id がないため、メールアドレスごとに1人の顧客（guest:…）とします。
-- ja: テスト注文や社員の印はありません。あれば email か customer_id の条件を加えてください。
with orders as (
  select * replace (
           nullif(nullif(nullif(customer_id, ''), 'NULL'), '\N') as customer_id,
           nullif(nullif(nullif(order_date, ''), 'NULL'), '\N') as order_date,
           nullif(nullif(nullif(email, ''), 'NULL'), '\N') as email)
  from (
    select * from {rows}
    union all by name
    select null::varchar as order_no, null::varchar as order_status_id, null::varchar as currency_code, null::varchar as update_date, null::varchar as email where false
  )
  where order_status_id is not null and order_no is not null  -- not dtb_order_item and the like
  qualify row_number() over (partition by id order by update_date desc nulls last, filename desc) = 1
),
real_orders as (
  select *, coalesce(customer_id, 'guest:' || lower(trim(email))) as customer from orders
  where order_status_id in ('1', '3', '4', '5', '6', '9') and order_date is not null
)
select customer as customer_id, order_date as occurred_at, 'purchase' as kind, payment_total as value, 'web' as channel,
       nullif(currency_code, '') as currency, 'eccube-' || id as event_id
from real_orders where customer is not null
union all
select customer, coalesce(update_date, order_date), 'refund', '-' || payment_total, 'web', nullif(currency_code, ''),
       'eccube-' || id || '-refund'
from real_orders
where customer is not null and order_status_id in ('3', '9') and regexp_matches(payment_total, '[1-9]')
