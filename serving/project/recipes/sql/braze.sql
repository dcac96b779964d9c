-- Braze Currents: the Avro files of a data storage connection, as they lie in the bucket (event_type=…/date=…/…).
-- schema: https://www.braze.com/docs/user_guide/data/distribution/braze_currents/event_glossary/message_engagement_events/
-- schema: https://www.braze.com/docs/user_guide/data/distribution/braze_currents/event_glossary/customer_behavior_events/
-- files: *.avro => read_json({avro_files}, format = 'newline_delimited', filename = true,
--   columns = {id: 'VARCHAR', external_user_id: 'VARCHAR', time: 'VARCHAR', campaign_name: 'VARCHAR',
--   canvas_name: 'VARCHAR', machine_open: 'VARCHAR', is_suspected_bot_click: 'VARCHAR', name: 'VARCHAR',
--   product_id: 'VARCHAR', price: 'VARCHAR', currency: 'VARCHAR', platform: 'VARCHAR', subscription_status: 'VARCHAR',
--   channel: 'VARCHAR'})
-- looks_right: id is not null and time is not null and contains(filename, 'event_type=')
--
-- Currents delivers at least once: id tells repeats. time is in seconds since 1970, UTC.
-- Opens by a mail program on its own (machine_open, such as Apple's) and clicks suspected of a bot are left out.
-- Whoever unsubscribes from e-mail, or calls one spam, has the attribute email_opt_out from then on.
-- Customers without an external_user_id (anonymous profiles) are left out.
-- ja: Braze Currents：ストレージ連携のAvroファイル（バケットのまま event_type=…/date=…/…）。
-- ja: Currentsは同じイベントを2回以上送ることがあり、id で見分けます。time は1970年からの秒（UTC）です。
-- ja: メールソフトによる自動の開封（machine_open）とボットと疑われるクリックは除きます。
-- ja: メールの購読解除や迷惑メール報告をした人は、それ以後、属性 email_opt_out が付きます。
-- ja: external_user_id のない（匿名の）顧客は除きます。
with events as (
  select *, regexp_extract(filename, 'event_type=([^/]+)/', 1) as type from {rows}
),
kinds as (
  select *,
         case type when 'users.behaviors.app.SessionStart' then 'session'
                   when 'users.behaviors.Purchase' then 'purchase'
                   when 'users.behaviors.CustomEvent' then 'feature_used'
                   when 'users.messages.email.Send' then 'email_sent'
                   when 'users.messages.email.Open' then 'email_opened'
                   when 'users.messages.email.Click' then 'email_clicked'
                   when 'users.messages.email.Unsubscribe' then 'attribute.email_opt_out'
                   when 'users.messages.email.MarkAsSpam' then 'attribute.email_opt_out'
                   when 'users.behaviors.subscription.GlobalStateChange' then 'attribute.email_opt_out'
                   when 'users.messages.pushnotification.Send' then 'push_sent'
                   when 'users.messages.pushnotification.Open' then 'push_opened'
                   when 'users.messages.inappmessage.Click' then 'message_clicked'
                   when 'users.messages.contentcard.Click' then 'message_clicked'
                   when 'users.messages.sms.Send' then 'sms_sent'
                   when 'users.behaviors.Uninstall' then 'app_uninstalled' end as kind
  from events
)
select external_user_id as customer_id,
       make_timestamptz(try_cast(try_cast(time as double) * 1000000 as bigint)) as occurred_at,
       case when kind = 'purchase' and starts_with(price, '-') then 'refund' else kind end as kind,
       case when kind = 'purchase' then price end as value,
       case when type like 'users.messages.email%' then 'email'
            when type like 'users.messages.pushnotification%' then 'push'
            when type like 'users.messages.sms%' then 'sms'
            when platform in ('ios', 'android') then 'app' when platform = 'web' then 'web' end as channel,
       case when type = 'users.behaviors.subscription.GlobalStateChange'
            then case lower(subscription_status) when 'subscribed' then 'no' when 'opted_in' then 'no' when 'opted in' then 'no'
                 else 'yes' end
            when kind = 'attribute.email_opt_out' then 'yes'
            when kind = 'purchase' then product_id when kind = 'feature_used' then name
            else coalesce(campaign_name, canvas_name) end as detail,
       case when kind = 'purchase' then currency end as currency,
       'braze-' || id as event_id
from kinds
where kind is not null
  and not (type = 'users.behaviors.subscription.GlobalStateChange' and lower(coalesce(channel, 'email')) <> 'email')
  and nullif(trim(external_user_id), '') is not null
  and not (kind = 'email_opened' and lower(coalesce(machine_open, '')) = 'true')
  and not (kind = 'email_clicked' and lower(coalesce(is_suspected_bot_click, '')) = 'true')
qualify row_number() over (partition by id order by filename) = 1
