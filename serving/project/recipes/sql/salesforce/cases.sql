-- Salesforce: cases, as Data Loader or the weekly Data Export writes them (CSV, all fields), files named *Case*.csv.
-- schema: https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_case.htm
-- files: *[Cc]ase*.csv => read_csv({files}, header = true, all_varchar = true, delim = ',', quote = '"', escape = '"',
--   union_by_name = true, filename = true)
-- looks_right: starts_with("Id", '500') and "CreatedDate" is not null and "Status" is not null
-- timezone: UTC
--
-- Moments without a zone are in UTC, as the Data Export writes them. Deleted and merged cases are left out.
-- The customer is the account, else the contact; ids of 15 letters become those of 18, so that exports agree.
-- Minutes to the first answer are no standard field: the value stays unknown.
-- ja: Salesforce：Data Loaderか週次のデータエクスポートで書き出したケース（CSV、全項目）。ファイル名は *Case*.csv。
-- ja: タイムゾーンのない日時は、データエクスポートの書き方どおりUTCとします。削除・統合されたケースは除きます。
-- ja: 顧客は取引先、なければ取引先責任者です。15文字のIDは18文字に直し、どの書き出しでも一致させます。
-- ja: 最初の回答までの分数は標準項目にないため、値は不明とします。
with cases as (
  select * from {rows}
  union all by name
  select null::varchar as "AccountId", null::varchar as "ContactId", null::varchar as "Origin",
         null::varchar as "Reason", null::varchar as "Type", null::varchar as "IsDeleted",
         null::varchar as "MasterRecordId", null::varchar as "SystemModstamp" where false
),
newest as (
  select *, coalesce(nullif("AccountId", ''), nullif("ContactId", '')) as customer from cases
  where starts_with("Id", '500') and "CreatedDate" is not null  -- not comments, histories and the like
  qualify row_number() over (partition by left("Id", 15) order by "SystemModstamp" desc nulls last, filename desc) = 1
)
select left(customer, 15) || coalesce(nullif(substr(customer, 16), ''),
         list_aggregate(list_transform([0, 5, 10], lambda start:
           substr('ABCDEFGHIJKLMNOPQRSTUVWXYZ012345', 1 + cast(list_sum(list_transform([0, 1, 2, 3, 4], lambda place:
             case when regexp_matches(substr(customer, start + place + 1, 1), '[A-Z]') then 1 << place else 0 end)) as bigint), 1)),
           'string_agg', '')) as customer_id,
       "CreatedDate" as occurred_at, 'ticket_opened' as kind, null::double as value,
       case lower("Origin") when 'phone' then 'phone' when 'email' then 'email' when 'web' then 'web' when 'chat' then 'chat'
            else nullif(lower("Origin"), '') end as channel,
       coalesce(nullif("Reason", ''), nullif("Type", '')) as detail,
       'salesforce-' || left("Id", 15) as event_id
from newest
where lower(coalesce("IsDeleted", 'false')) not in ('true', '1') and nullif("MasterRecordId", '') is null
  and customer is not null
