-- Google Analytics 4: the tables of its export to BigQuery (events_YYYYMMDD and events_intraday_YYYYMMDD), extracted
-- as JSON lines or Parquet, one or more files a table, with the table's name in the name of the file or folder.
-- schema: https://support.google.com/analytics/answer/7029846
-- files: *.parquet => read_parquet({files}, union_by_name = true, filename = true)
-- files: *.json*, *.ndjson => read_json({files}, format = 'newline_delimited', filename = true,
--   columns = {event_timestamp: 'VARCHAR', event_name: 'VARCHAR', event_params: 'JSON', user_id: 'VARCHAR',
--   user_pseudo_id: 'VARCHAR', event_bundle_sequence_id: 'VARCHAR', ecommerce: 'JSON', platform: 'VARCHAR'})
-- looks_right: event_timestamp is not null and event_name is not null
--
-- A daily table is rewritten for three days, and an intraday table holds the same events again: an event is told by
-- its device, instant, name, bundle, session, page and order, and of its versions one that knows the user wins.
-- A purchase counts once an order (transaction_id): reloading the page of thanks sends it again.
-- user_id is there only from the sign-in on: earlier events of the session get it, known from that instant on.
-- Events of sessions without a user are left out. Without sign-ins write user_pseudo_id as customer_id below.
-- Traffic that the property marks as internal, and debug mode, are left out.
-- ja: Google アナリティクス 4：BigQueryへのエクスポート（events_YYYYMMDD と events_intraday_YYYYMMDD）をJSON LinesかParquetで取り出したもの。ファイルかフォルダの名前にテーブル名を含めます。
-- ja: 日次テーブルは3日間書き直され、intraday にも同じイベントがあります。端末、時刻、名前、バンドル、セッション、ページ、注文で同じ
-- ja: イベントを見分け、利用者の分かる版を採ります。購入は注文（transaction_id）ごとに1回だけ数えます（完了ページの再読込を除く）。
-- ja: user_id はログイン後にだけ付きます。同じセッションのそれより前のイベントにも付け、ログインの時点で判明したとします。
-- ja: 利用者のないセッションは除きます。ログインのないサイトでは、下の customer_id に user_pseudo_id と書いてください。
-- ja: 内部トラフィックとデバッグモードは除きます。
with parameters as (
  select *, coalesce(to_json(event_params) -> '$.list', to_json(event_params)) as entries from {rows}
),
named as (
  -- BigQuery writes repeated fields to Parquet as list.element (or item), to JSON as plain lists.
  -- ja: BigQueryは繰り返し項目を、Parquetでは list.element（または item）、JSONでは普通のリストとして書く。
  select *, list_transform(from_json(entries, '["json"]'),
           lambda e: coalesce(e -> '$.element', e -> '$.item', e)) as given
  from parameters
),
read_events as (
  select cast(event_name as varchar) as name,
         try_cast(event_timestamp as bigint) as micros,
         case when lower(trim(cast(user_id as varchar))) not in ('', 'null', 'undefined', '(not set)', '0')
              then trim(cast(user_id as varchar)) end as user_id,
         cast(user_pseudo_id as varchar) as device,
         cast(event_bundle_sequence_id as varchar) as bundle,
         lower(cast(platform as varchar)) as platform,
         list_filter(given, lambda e: (e ->> 'key') = 'ga_session_id')[1] -> 'value' ->> 'int_value' as session,
         list_filter(given, lambda e: (e ->> 'key') = 'page_location')[1] -> 'value' ->> 'string_value' as page,
         list_filter(given, lambda e: (e ->> 'key') = 'firebase_screen')[1] -> 'value' ->> 'string_value' as screen,
         list_filter(given, lambda e: (e ->> 'key') = 'traffic_type')[1] -> 'value' ->> 'string_value' as traffic,
         coalesce(list_filter(given, lambda e: (e ->> 'key') = 'debug_mode')[1] -> 'value' ->> 'int_value', '0') as debug,
         list_filter(given, lambda e: (e ->> 'key') = 'value')[1] -> 'value' as value,
         list_filter(given, lambda e: (e ->> 'key') = 'currency')[1] -> 'value' ->> 'string_value' as currency,
         nullif(nullif(coalesce(to_json(ecommerce) ->> 'transaction_id',
           list_filter(given, lambda e: (e ->> 'key') = 'transaction_id')[1] -> 'value' ->> 'string_value'),
           ''), '(not set)') as order_id,
         to_json(ecommerce) ->> 'purchase_revenue' as revenue,
         to_json(ecommerce) ->> 'refund_value' as refunded,
         contains(filename, 'intraday') as intraday, filename
  from named
),
identified as (
  select *,
         case when name = 'purchase' and order_id is not null then 'ga4-order-' || order_id
              else 'ga4-' || md5(concat_ws('|', coalesce(device, user_id), micros, name, coalesce(bundle, ''),
                                           coalesce(session, ''), coalesce(page, ''), coalesce(order_id, ''))) end as event_id
  from read_events
  where name in ('page_view', 'screen_view', 'session_start', 'login', 'purchase', 'refund', 'view_search_results',
                 'file_download', 'share')
     or user_id is not null
),
once as (
  select * from identified
  qualify row_number() over (
    partition by event_id order by micros, user_id is null, intraday, filename desc) = 1
),
with_users as (
  select *,
         case when device is not null and session is not null then
           first_value(user_id ignore nulls) over (
             partition by device, session order by micros, event_id
             rows between current row and unbounded following) end as later_user,
         case when device is not null and session is not null then
           first_value(case when user_id is not null then micros end ignore nulls) over (
             partition by device, session order by micros, event_id
             rows between current row and unbounded following) end as later_micros,
         case when device is not null and session is not null then
           last_value(user_id ignore nulls) over (
             partition by device, session order by micros, event_id
             rows between unbounded preceding and current row) end as earlier_user
  from once
  where traffic is distinct from 'internal' and debug <> '1'
)
select coalesce(user_id, earlier_user, later_user) as customer_id,
       make_timestamptz(micros) as occurred_at,
       case name when 'page_view' then 'visit' when 'screen_view' then 'visit' when 'session_start' then 'session'
                 when 'login' then 'login' when 'purchase' then 'purchase' when 'refund' then 'refund'
                 when 'share' then 'share' else 'feature_used' end as kind,
       case name when 'purchase' then coalesce(revenue, value ->> 'double_value', value ->> 'float_value', value ->> 'int_value')
                 when 'refund' then '-' || coalesce(refunded, value ->> 'double_value', value ->> 'float_value', value ->> 'int_value')
                 end as value,
       case when platform = 'web' then 'web' when platform in ('android', 'ios') then 'app' end as channel,
       case when name = 'screen_view' then screen
            when name = 'page_view' then nullif(regexp_extract(page, '^https?://[^/?#]+(/[^/?#]*)', 1), '')
            when name in ('view_search_results', 'file_download') then name end as detail,
       case when user_id is null and earlier_user is null and later_user is not null
            then make_timestamptz(later_micros) end as recorded_at,
       case when name in ('purchase', 'refund') then currency end as currency,
       event_id
from with_users
where name in ('page_view', 'screen_view', 'session_start', 'login', 'purchase', 'refund', 'view_search_results',
               'file_download', 'share')
  and coalesce(user_id, earlier_user, later_user) is not null
