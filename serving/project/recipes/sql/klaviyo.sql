-- Klaviyo: events, as the answers of GET https://a.klaviyo.com/api/events?include=metric, each page saved as a file
-- (or a line); lines of single events and metrics are read as well.
-- schema: https://developers.klaviyo.com/en/reference/get_events
-- schema: https://help.klaviyo.com/hc/en-us/articles/4416791883163
-- files: *.json*, *.ndjson => read_json_objects({files}, format = 'auto', filename = true)
-- looks_right: (json ->> 'type') in ('event', 'metric') or (json ->> '$.data[0].type') = 'event'
--
-- Opens by Apple's mail privacy and other machines, and clicks of bots, are left out. Ordered Product repeats what
-- Placed Order says, line by line, and is left out. A cancelled order counts as refunded unless it was refunded too.
-- Whoever unsubscribes, even from one list, or calls an e-mail spam has the attribute email_opt_out from then on, until
-- they subscribe to e-mail marketing: to subscribe to a list lifts nothing, as it may be another list, or one of SMS.
-- The customer is the profile's id in Klaviyo. Orders marked as tests by the shop are left out.
-- ja: Klaviyo：GET https://a.klaviyo.com/api/events?include=metric の応答を、1ページ1ファイル（または1行）で保存したもの。イベントやメトリクスだけの行も読みます。
-- ja: Appleのメールプライバシーなどによる開封とボットのクリックは除きます。Ordered Product は Placed Order の明細なので除きます。
-- ja: キャンセルされた注文は、別に返金されていなければ返金とします。
-- ja: 購読解除（1つのリストだけでも）や迷惑メール報告をした人は、メールマーケティングを購読し直すまで属性 email_opt_out が付きます。
-- ja: 別のリストやSMSかもしれないため、リストの購読では解除されません。顧客はKlaviyoのプロフィールIDです。テスト注文は除きます。
with objects as (
  select unnest(from_json(json -> 'data', '["json"]')) as o from {rows} where json_type(json -> 'data') = 'ARRAY'
  union all
  select unnest(from_json(json -> 'included', '["json"]')) from {rows} where json_type(json -> 'included') = 'ARRAY'
  union all
  select json from {rows} where (json ->> 'type') in ('event', 'metric')
),
metrics as (
  select o ->> 'id' as metric, any_value(o -> 'attributes' ->> 'name') as name from objects
  where (o ->> 'type') = 'metric' group by all
),
events as (
  select o ->> 'id' as id,
         o -> 'relationships' -> 'profile' -> 'data' ->> 'id' as profile,
         o -> 'relationships' -> 'metric' -> 'data' ->> 'id' as metric,
         o -> 'attributes' ->> 'datetime' as moment,
         o -> 'attributes' -> 'event_properties' as p
  from objects where (o ->> 'type') = 'event'
  qualify row_number() over (partition by o ->> 'id') = 1
),
known as (
  select *, coalesce(json_extract_string(p, '$."OrderId"'), json_extract_string(p, '$."$event_id"')) as order_id,
         json_extract_string(p, '$."$value"') as amount
  from events join metrics using (metric)
  where not regexp_matches(coalesce(cast(p as varchar), ''),
          '"(machine[_ ]open|apple[_ ]privacy[_ ]open|bot[_ ]click)"\s*:\s*"?true', 'i')
    and coalesce(json_extract_string(p, '$."$extra".test'), 'false') <> 'true'
)
select profile as customer_id,
       moment as occurred_at,
       case name when 'Placed Order' then 'purchase' when 'Refunded Order' then 'refund'
                 when 'Cancelled Order' then 'refund' when 'Canceled Order' then 'refund'
                 when 'Active on Site' then 'visit' when 'Viewed Product' then 'visit'
                 when 'Received Email' then 'email_sent' when 'Opened Email' then 'email_opened'
                 when 'Clicked Email' then 'email_clicked' when 'Received SMS' then 'sms_sent'
                 when 'Clicked SMS' then 'sms_clicked' when 'Received Push' then 'push_sent'
                 when 'Opened Push' then 'push_opened' when 'Checkout Started' then 'feature_used'
                 when 'Started Checkout' then 'feature_used' when 'Added to Cart' then 'feature_used'
                 else 'attribute.email_opt_out' end as kind,
       case when name = 'Placed Order' then amount
            when name in ('Refunded Order', 'Cancelled Order', 'Canceled Order') then '-' || ltrim(amount, '-') end as value,
       case when name like '%Email%' or name like '%ubscribed%' then 'email' when name like '%SMS%' then 'sms'
            when name like '%Push%' then 'push' else 'web' end as channel,
       case when name like 'Unsubscribed%' or name = 'Marked Email as Spam' then 'yes'
            when name = 'Subscribed to Email Marketing' then 'no'
            when name like '%Email%' then coalesce(p ->> 'Campaign Name', p ->> 'Subject')
            when name in ('Viewed Product', 'Added to Cart') then coalesce(p ->> 'ProductName', p ->> 'Product Name')
            when name like '%Checkout%' then 'checkout' end as detail,
       json_extract_string(p, '$."$currency_code"') as currency,
       'klaviyo-' || id as event_id
from known
where name in ('Placed Order', 'Refunded Order', 'Cancelled Order', 'Canceled Order', 'Active on Site', 'Viewed Product',
               'Received Email', 'Opened Email', 'Clicked Email', 'Received SMS', 'Clicked SMS', 'Received Push',
               'Opened Push', 'Checkout Started', 'Started Checkout', 'Added to Cart', 'Marked Email as Spam',
               'Unsubscribed', 'Unsubscribed from List', 'Unsubscribed from Email Marketing',
               'Subscribed to Email Marketing')
  and not (name in ('Cancelled Order', 'Canceled Order') and order_id in (
    select order_id from known where name = 'Refunded Order' and order_id is not null))
