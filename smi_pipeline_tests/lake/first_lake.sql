-- The tables of the first lakes (2026-11-22), as their code made them: a lake with these must open.
create schema if not exists raw;
create schema if not exists staging;
create schema if not exists intermediate;
create schema if not exists metrics;
create schema if not exists index;
create schema if not exists marts;
create table raw.facebook_posts ("collection_id" varchar, "month" date, "account_id" varchar, "platform_account_id" varchar, "observed_at" timestamptz, "id" varchar, "created_time" varchar, "message" varchar, "permalink_url" varchar, "status_type" varchar, "media_type" varchar, "shares_count" bigint, "reactions_total_count" bigint, "comments_total_count" bigint, "payload" json);
create table raw.facebook_accounts ("collection_id" varchar, "month" date, "account_id" varchar, "platform_account_id" varchar, "observed_at" timestamptz, "id" varchar, "name" varchar, "username" varchar, "link" varchar, "followers_count" bigint, "fan_count" bigint, "payload" json);
create table raw.x_posts ("collection_id" varchar, "month" date, "account_id" varchar, "platform_account_id" varchar, "observed_at" timestamptz, "id" varchar, "created_at" varchar, "text" varchar, "lang" varchar, "retweet_count" bigint, "reply_count" bigint, "like_count" bigint, "quote_count" bigint, "bookmark_count" bigint, "impression_count" bigint, "referenced_tweet_types" varchar[], "media_types" varchar[], "payload" json);
create table raw.x_accounts ("collection_id" varchar, "month" date, "account_id" varchar, "platform_account_id" varchar, "observed_at" timestamptz, "id" varchar, "username" varchar, "name" varchar, "created_at" varchar, "protected" boolean, "followers_count" bigint, "following_count" bigint, "tweet_count" bigint, "listed_count" bigint, "payload" json);
create table raw.instagram_posts ("collection_id" varchar, "month" date, "account_id" varchar, "platform_account_id" varchar, "observed_at" timestamptz, "id" varchar, "timestamp" varchar, "caption" varchar, "permalink" varchar, "media_type" varchar, "media_product_type" varchar, "like_count" bigint, "comments_count" bigint, "view_count" bigint, "payload" json);
create table raw.instagram_accounts ("collection_id" varchar, "month" date, "account_id" varchar, "platform_account_id" varchar, "observed_at" timestamptz, "id" varchar, "username" varchar, "name" varchar, "followers_count" bigint, "media_count" bigint, "payload" json);
create table raw.youtube_posts ("collection_id" varchar, "month" date, "account_id" varchar, "platform_account_id" varchar, "observed_at" timestamptz, "id" varchar, "videoPublishedAt" varchar, "publishedAt" varchar, "title" varchar, "description" varchar, "viewCount" varchar, "likeCount" varchar, "commentCount" varchar, "payload" json);
create table raw.youtube_accounts ("collection_id" varchar, "month" date, "account_id" varchar, "platform_account_id" varchar, "observed_at" timestamptz, "id" varchar, "title" varchar, "customUrl" varchar, "uploads" varchar, "subscriberCount" varchar, "viewCount" varchar, "videoCount" varchar, "hiddenSubscriberCount" boolean, "payload" json);
create table raw.tiktok_posts ("collection_id" varchar, "month" date, "account_id" varchar, "platform_account_id" varchar, "observed_at" timestamptz, "id" bigint, "create_time" bigint, "username" varchar, "video_description" varchar, "region_code" varchar, "like_count" bigint, "comment_count" bigint, "share_count" bigint, "view_count" bigint, "favorites_count" bigint, "video_duration" bigint, "hashtag_names" varchar[], "payload" json);
create table raw.tiktok_accounts ("collection_id" varchar, "month" date, "account_id" varchar, "platform_account_id" varchar, "observed_at" timestamptz, "display_name" varchar, "is_verified" boolean, "follower_count" bigint, "following_count" bigint, "likes_count" bigint, "video_count" bigint, "payload" json);
create table raw.rejected ("collection_id" varchar, "platform" varchar, "month" date, "account_id" varchar, "platform_post_id" varchar, "field" varchar, "value" varchar, "reason" varchar, "observed_at" timestamptz, "payload" json);
create table raw.collection_account ("collection_id" varchar, "platform" varchar, "month" date, "account_id" varchar, "handle" varchar, "outcome" varchar, "detail" varchar, "observed_at" timestamptz);
create table raw.collection_log ("collection_id" varchar, "platform" varchar, "month" date, "cut" varchar, "status" varchar, "started_at" timestamptz, "recorded_at" timestamptz, "finished_at" timestamptz, "requests" bigint, "accounts_asked" bigint, "accounts_answered" bigint, "accounts_failed" bigint, "synthetic" boolean);
create table raw.input_file ("kind" varchar, "month" date, "name" varchar, "sha256" varchar, "text" varchar, "loaded_at" timestamptz);
alter table raw.facebook_posts set partitioned by (month);
alter table raw.facebook_accounts set partitioned by (month);
alter table raw.x_posts set partitioned by (month);
alter table raw.x_accounts set partitioned by (month);
alter table raw.instagram_posts set partitioned by (month);
alter table raw.instagram_accounts set partitioned by (month);
alter table raw.youtube_posts set partitioned by (month);
alter table raw.youtube_accounts set partitioned by (month);
alter table raw.tiktok_posts set partitioned by (month);
alter table raw.tiktok_accounts set partitioned by (month);
create view if not exists raw.collection as
select * from raw.collection_log
qualify row_number() over (partition by month, collection_id order by recorded_at desc, requests desc, status) = 1;
