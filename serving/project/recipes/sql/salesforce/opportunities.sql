-- Salesforce: opportunities, as Data Loader or the weekly Data Export writes them (CSV, all fields), files named
-- *Opportunity*.csv.
-- schema: https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_opportunity.htm
-- files: *[Oo]pportunit*.csv => read_csv({files}, header = true, all_varchar = true, delim = ',', quote = '"',
--   escape = '"', union_by_name = true, filename = true)
-- looks_right: starts_with("Id", '006') and "StageName" is not null and "CloseDate" is not null
--
-- A won opportunity is a purchase on its CloseDate, a day without hours in the project's time zone. Data Loader
-- east of Greenwich shifts it to the day before unless its own time zone is set to GMT. A lost one is its own kind.
-- Open and deleted ones are left out. Won is IsWon, else a StageName of Closed Won. Amounts may be missing.
-- ja: Salesforce：Data Loaderか週次のデータエクスポートで書き出した商談（CSV、全項目）。ファイル名は *Opportunity*.csv。
-- ja: 成立した商談は、完了予定日（CloseDate、時刻のない日付、プロジェクトのタイムゾーン）の購買とします。Data Loaderは、
-- ja: タイムゾーンをGMTにしないと、日本などでは前日の日付で書き出します。不成立の商談は別の種別です。
-- ja: 進行中と削除済みの商談は除きます。成立は IsWon、なければ StageName が Closed Won のものです。金額はなくてもかまいません。
with opportunities as (
  select * from {rows}
  union all by name
  select null::varchar as "AccountId", null::varchar as "Amount", null::varchar as "Type", null::varchar as "IsWon",
         null::varchar as "IsClosed", null::varchar as "IsDeleted", null::varchar as "CurrencyIsoCode",
         null::varchar as "SystemModstamp" where false
),
newest as (
  select *, nullif("AccountId", '') as customer,
         lower(coalesce(nullif("IsWon", ''), case when lower("StageName") like '%closed won%' then 'true' else 'false' end))
           in ('true', '1') as won,
         lower(coalesce(nullif("IsClosed", ''), case when lower("StageName") like '%closed%' then 'true' else 'false' end))
           in ('true', '1') as closed
  from opportunities
  where starts_with("Id", '006') and "StageName" is not null  -- not histories, line items and the like
  qualify row_number() over (partition by left("Id", 15) order by "SystemModstamp" desc nulls last, filename desc) = 1
)
select left(customer, 15) || coalesce(nullif(substr(customer, 16), ''),
         list_aggregate(list_transform([0, 5, 10], lambda start:
           substr('ABCDEFGHIJKLMNOPQRSTUVWXYZ012345', 1 + cast(list_sum(list_transform([0, 1, 2, 3, 4], lambda place:
             case when regexp_matches(substr(customer, start + place + 1, 1), '[A-Z]') then 1 << place else 0 end)) as bigint), 1)),
           'string_agg', '')) as customer_id,
       "CloseDate" as occurred_at, case when won then 'purchase' else 'opportunity_lost' end as kind,
       case when won then nullif("Amount", '') end as value, nullif("Type", '') as detail,
       nullif("CurrencyIsoCode", '') as currency, 'salesforce-' || left("Id", 15) as event_id
from newest
where closed and lower(coalesce("IsDeleted", 'false')) not in ('true', '1') and customer is not null
