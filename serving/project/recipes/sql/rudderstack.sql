-- RudderStack: its object storage destination (Amazon S3 or another store), folder rudder-logs: JSON lines, gzipped.
-- schema: https://www.rudderstack.com/docs/destinations/streaming-destinations/amazon-s3/
-- schema: https://www.rudderstack.com/docs/event-spec/standard-events/common-fields/
-- files: *.gz, *.json* => read_json({files}, format = 'newline_delimited', filename = true,
--   columns = {messageId: 'VARCHAR', type: 'VARCHAR', event: 'VARCHAR', name: 'VARCHAR', userId: 'VARCHAR',
--   anonymousId: 'VARCHAR', rudderId: 'VARCHAR', timestamp: 'VARCHAR', originalTimestamp: 'VARCHAR',
--   receivedAt: 'VARCHAR', properties: 'JSON', context: 'JSON'})
-- looks_right: "messageId" is not null and "type" is not null and "receivedAt" is not null
--
-- Files may hold a call again: messageId tells repeats, and an order counts once (order_id).
-- timestamp is the moment put right for the device's clock; recorded_at is when RudderStack received the call, and
-- for an anonymous visitor the first call that named the user. A device of several people names nobody.
-- Whoever unsubscribes has the attribute email_opt_out from then on. Robots are left out. The first call of a session (context.sessionStart) counts as a session too.
-- Other names of your tracking plan count as feature_used: take out what customers do not do themselves.
-- ja: RudderStack：オブジェクトストレージ（Amazon S3など）への書き出し。rudder-logs フォルダのJSON Lines（gzip）。
-- ja: 同じ呼び出しが複数のファイルにあっても messageId で見分け、注文は1回だけ数えます（order_id）。
-- ja: timestamp は端末の時計を補正した日時、recorded_at はRudderStackの受信日時です（匿名の訪問者では、誰かが分かった最初の
-- ja: 呼び出し）。複数の人の端末は誰のものともしません。購読解除した人は、それ以後、属性 email_opt_out が付きます。
-- ja: ボットは除きます。セッションの最初の呼び出し（context.sessionStart）は session としても数えます。
-- ja: トラッキングプランのほかの名前は feature_used とします。顧客自身の行動でないものは除いてください。
with calls as (
  select "messageId" as message, "type" as kind_of_call, coalesce("event", "name") as name,
         nullif(trim("userId"), '') as user_id, nullif(trim("anonymousId"), '') as anonymous,
         try_cast(coalesce("timestamp", "originalTimestamp") as timestamptz) as sent,
         try_cast("receivedAt" as timestamptz) as received,
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
steps as (
  select 'call' as step, * from named where kind_of_call in ('track', 'page', 'screen')
  union all
  select 'session' as step, * from named where (c ->> 'sessionStart') = 'true'
),
orders as (
  select *,
         case when step = 'call' and name in ('Order Completed', 'Order Refunded', 'Order Cancelled')
              then coalesce(p ->> 'total', p ->> 'revenue', p ->> 'value') end as amount,
         case when step = 'session' then 'rudderstack-session-' || "message"
              when name = 'Order Completed' and order_id is not null then 'rudderstack-order-' || order_id
              when name = 'Order Cancelled' and order_id is not null then 'rudderstack-cancelled-' || order_id
              else 'rudderstack-' || "message" end as event_id
  from steps
  where customer is not null
    and not (step = 'call' and name = 'Order Cancelled' and order_id in (
      select order_id from named where name = 'Order Refunded' and order_id is not null))
)
select customer as customer_id,
       least(sent, received) as occurred_at,
       case when step = 'session' then 'session'
            when kind_of_call in ('page', 'screen') then 'visit'
            when name = 'Order Completed' then 'purchase'
            when name in ('Order Refunded', 'Order Cancelled') then 'refund'
            when name in ('Signed In', 'Login') then 'login'
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
       case when regexp_matches(coalesce(library, ''), 'javascript', 'i') then 'web'
            when regexp_matches(coalesce(library, ''), 'ios|swift|android|kotlin|react-native|flutter', 'i') then 'app' end as channel,
       case when step = 'call' and kind_of_call = 'track' and name = 'Unsubscribed' then 'yes'
            when step = 'call' and (kind_of_call in ('page', 'screen')
                                    or name not in ('Order Completed', 'Order Refunded', 'Order Cancelled'))
            then name end as detail,
       recorded as recorded_at,
       case when amount is not null then p ->> 'currency' end as currency,
       event_id
from orders
qualify row_number() over (partition by event_id order by sent, received) = 1
