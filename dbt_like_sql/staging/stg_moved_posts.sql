-- stg_moved_posts: posts that two months have because their date was changed, under the month that does not count them.
--
-- grain   one row per (platform, month, post_id, collection_id)
-- month   all months; readers filter
-- units   none
-- caveat  the other month has the later observation and counts the post. Looked for when a collection ends, from 0.1.2
--         on; of two collections that ended before, both months count it

select distinct
    moved.platform,
    moved.left_month as month,
    moved.post_id,
    moved.left_collection_id as collection_id
from raw.moved_post as moved
join staging.stg_collections as counting
    on counting.collection_id = moved.collection_id
