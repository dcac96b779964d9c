-- Segment: its storage destination (Amazon S3 or another store), folder segment-logs: one gzipped JSON line a call.
-- schema: https://segment.com/docs/connections/storage/catalog/aws-s3/
-- schema: https://segment.com/docs/connections/spec/ecommerce/v2/
-- files: *.gz, *.json* => read_json({files}, format = 'newline_delimited', filename = true,
--   columns = {messageId: 'VARCHAR', type: 'VARCHAR', event: 'VARCHAR', name: 'VARCHAR', userId: 'VARCHAR',
--   anonymousId: 'VARCHAR', timestamp: 'VARCHAR', receivedAt: 'VARCHAR', properties: 'JSON', context: 'JSON'})
-- looks_right: "messageId" is not null and "type" is not null
--
-- Segment delivers a call at least once: messageId tells repeats, and an order counts once (order_id).
-- The company learned of an event when Segment received it (receivedAt, else the end of the day in the folder's
-- name), and of who an anonymous visitor was at the first call that named both: that is recorded_at.
-- A device that several people signed in on names nobody. A clock that runs ahead is set back to receivedAt.
-- Whoever unsubscribes has the attribute email_opt_out from then on. Robots are left out. Calls that the company's own servers make (e-mail sent) are no engagement.
-- Other names of your track plan count as feature_used: take out what customers do not do themselves.
-- ja: Segment：ストレージ（Amazon S3など）への書き出し。segment-logs フォルダの、1行1件のJSON（gzip）。
-- ja: Segmentは同じ呼び出しを2回以上送ることがあり、messageId で見分けます。注文は1回だけ数えます（order_id）。
-- ja: 会社がイベントを知った日時はSegmentの受信日時（receivedAt、なければフォルダ名の日の終わり）、匿名の訪問者が誰かは
-- ja: 両方を含む最初の呼び出しで判明したとし、recorded_at に入れます。複数の人がログインした端末は誰のものともしません。
-- ja: 進んだ時計は receivedAt に戻します。購読解除した人は、それ以後、属性 email_opt_out が付きます。ボットは除きます。
-- ja: 自社のサーバーからの呼び出し（メール送信）は、顧客の行動に数えません。
-- ja: トラッキングプランのほかの名前は feature_used とします。顧客自身の行動でないものは除いてください。
with calls as (
  select "messageId" as message, "type" as kind_of_call, coalesce("event", "name") as name,
         nullif(trim("userId"), '') as user_id, nullif(trim("anonymousId"), '') as anonymous,
         try_cast("timestamp" as timestamptz) as sent,
         coalesce(try_cast("receivedAt" as timestamptz),
           make_timestamptz(try_cast(nullif(regexp_extract(filename, 'segment-logs/[^/]+/(\d{13})/', 1), '') as bigint) * 1000)
             + interval 1 day) as received,
         properties as p, context as c,
         context -> 'library' ->> 'name' as library
  from {rows}
),
once as (
  select * from calls where "message" is not null
  qualify row_number() over (partition by "message" order by received) = 1
),
people as (
  select anonymous, min(user_id) as user_id, min(received) as known
  from once where user_id is not null and anonymous is not null
  group by anonymous having count(distinct user_id) = 1
),
named as (
  select once.* exclude (user_id), coalesce(once.user_id, people.user_id) as customer,
         case when once.user_id is null then greatest(once.received, people.known) else once.received end as recorded,
         p ->> 'order_id' as order_id
  from once left join people using (anonymous)
  where not regexp_matches(coalesce(c ->> 'userAgent', ''), 'bot|crawl|spider|headless|monitor', 'i')
),
orders as (
  select *,
         case when name in ('Order Completed', 'Order Refunded', 'Order Cancelled')
              then coalesce(p ->> 'total', p ->> 'revenue', p ->> 'value') end as amount,
         case when name = 'Order Completed' and order_id is not null then 'segment-order-' || order_id
              when name = 'Order Cancelled' and order_id is not null then 'segment-cancelled-' || order_id
              else 'segment-' || "message" end as event_id
  from named
  where kind_of_call in ('track', 'page', 'screen') and customer is not null
    and not (name = 'Order Cancelled' and order_id in (
      select order_id from named where name = 'Order Refunded' and order_id is not null))
)
select customer as customer_id,
       least(sent, received) as occurred_at,
       case when kind_of_call in ('page', 'screen') then 'visit'
            when name = 'Order Completed' then 'purchase'
            when name in ('Order Refunded', 'Order Cancelled') then 'refund'
            when name = 'Signed In' then 'login'
            when name in ('Application Opened', 'Application Foregrounded') then 'session'
            when name in ('Email Sent', 'Email Delivered') then 'email_sent'
            when name in ('Push Notification Sent', 'Push Notification Received') then 'push_sent'
            when name = 'Email Link Clicked' then 'email_clicked'
            when name = 'Email Opened' then 'email_opened'
            when name = 'Unsubscribed' then 'attribute.email_opt_out'
            when name in ('Email Bounced', 'Email Marked as Spam', 'Signed Up', 'Signed Out',
                          'Application Installed', 'Application Updated', 'Application Uninstalled',
                          'Application Backgrounded', 'Application Crashed')
              then lower(replace(name, ' ', '_'))
            else 'feature_used' end as kind,
       case when name in ('Order Refunded', 'Order Cancelled') then '-' || ltrim(amount, '-') else amount end as value,
       case when library like 'analytics.js%' then 'web'
            when regexp_matches(coalesce(library, ''), 'ios|swift|android|kotlin|react-native|flutter', 'i') then 'app' end as channel,
       case when kind_of_call = 'track' and name = 'Unsubscribed' then 'yes'
            when kind_of_call in ('page', 'screen') or name not in ('Order Completed', 'Order Refunded', 'Order Cancelled')
            then name end as detail,
       recorded as recorded_at,
       case when amount is not null then p ->> 'currency' end as currency,
       event_id
from orders
qualify row_number() over (partition by event_id order by sent, received) = 1
