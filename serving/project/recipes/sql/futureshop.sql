-- futureshop: 受注データ, downloaded from 運用 > 受注管理 in the form "futureshop" (CSV in CP932).
-- Choose in 受注データ取得項目設定 at least 受注コード, 注文日時, 請求合計金額 and 会員番号 or メールアドレス(メイン).
-- schema: http://www.future-shop.jp/manual/operate/accept/opt-AcceptConfigDownloadItemEdit.html
-- schema: https://manual.next-engine.net/main/orders/ord_torikomi-shori/juchu_torikomi/juchu_futureshop2/6334/
-- files: *.csv => read_csv({files}, header = true, all_varchar = true, delim = ',', quote = '"', escape = '"',
--   union_by_name = true, filename = true)
-- looks_right: "受注コード" is not null and "注文日時" is not null and "請求合計金額" is not null
--
-- An order is several lines, one for each item, and each repeats the total: it counts once (受注コード).
-- The names of the columns of cancellations and members are from memory, as the public manuals do not list them:
-- キャンセルフラグ, キャンセル日時, 受注ステータス, ステータス, 会員番号, 会員ID. Check them in your file.
-- A cancelled order counts as refunded when it was cancelled, else when it was ordered. Members are told by their
-- number, others by their e-mail address in small letters. Orders whose ショップメモ says テスト are left out.
-- ja: futureshop：運用 → 受注管理 から「futureshop」形式でダウンロードした受注データ（CP932のCSV）。
-- ja: 受注データ取得項目設定で、受注コード、注文日時、請求合計金額と、会員番号かメールアドレス(メイン)を選んでください。
-- ja: 注文は商品ごとに複数の行になり、どの行にも合計額があるため、1回だけ数えます（受注コード）。
-- ja: キャンセルと会員の列名（キャンセルフラグ、キャンセル日時、受注ステータス、ステータス、会員番号、会員ID）は
-- ja: 公開マニュアルにないため、手元のファイルで確認してください。
-- ja: キャンセルされた注文は、キャンセル日時、なければ注文日時に返金とします。会員は会員番号、ほかは小文字にした
-- ja: メールアドレスで見分けます。ショップメモに「テスト」とある注文は除きます。
with lines as (
  select * from {rows}
  union all by name
  select null::varchar as "会員番号", null::varchar as "会員ID", null::varchar as "メールアドレス(メイン)",
         null::varchar as "メールアドレス（メイン）", null::varchar as "メールアドレス", null::varchar as "キャンセルフラグ",
         null::varchar as "キャンセル日時", null::varchar as "受注ステータス", null::varchar as "ステータス",
         null::varchar as "ショップメモ", null::varchar as "商品名" where false
),
orders as (
  select *,
         coalesce(nullif("会員番号", ''), nullif("会員ID", ''), lower(trim(coalesce(nullif("メールアドレス(メイン)", ''),
           nullif("メールアドレス（メイン）", ''), nullif("メールアドレス", ''))))) as customer,
         coalesce("キャンセルフラグ", '') in ('1', 'true', 'キャンセル', '有', 'あり') or nullif("キャンセル日時", '') is not null
           or regexp_matches(coalesce("受注ステータス", '') || coalesce("ステータス", ''), 'キャンセル|取消') as cancelled
  from lines
  qualify row_number() over (partition by "受注コード" order by cancelled desc, filename desc) = 1
),
real_orders as (
  select * from orders where customer is not null and not contains(coalesce("ショップメモ", ''), 'テスト')
)
select customer as customer_id, replace("注文日時", '/', '-') as occurred_at, 'purchase' as kind,
       replace(replace("請求合計金額", ',', ''), '円', '') as value, 'web' as channel, nullif("商品名", '') as detail,
       'JPY' as currency, 'futureshop-' || "受注コード" as event_id
from real_orders
union all
select customer, replace(coalesce(nullif("キャンセル日時", ''), "注文日時"), '/', '-'), 'refund',
       '-' || replace(replace("請求合計金額", ',', ''), '円', ''), 'web', nullif("商品名", ''), 'JPY',
       'futureshop-' || "受注コード" || '-refund'
from real_orders
where cancelled and regexp_matches(coalesce("請求合計金額", ''), '[1-9]')
