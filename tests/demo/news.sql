-- What has become visible since :'since', a line each, oldest first; then the
-- moment to ask from next.  The commit times are PostgreSQL's own
-- (track_commit_timestamp), so the wait is from commit to commit.
SELECT pg_xact_commit_timestamp(e.xmin) AS seen_at, e.name, e.project_id, e.data
  INTO TEMP news
  FROM steward.event e
 WHERE pg_xact_commit_timestamp(e.xmin) > :'since'::timestamptz AND e.created_at > :'since'::timestamptz - interval '1 minute';

SELECT to_char(n.seen_at, 'HH24:MI:SS.MS') || '  ' ||
       CASE n.name
       WHEN 'advisor.workspace_ready' THEN format('workspace ready     %-20s %s joined, %s ms after the approval',
            p.name, split_part(u.email, '@', 1),
            round(extract(epoch FROM n.seen_at - pg_xact_commit_timestamp(m.xmin)) * 1000, 1))
       ELSE format('%-19s %-20s %s', n.name, p.name, COALESCE(n.data ->> 'reason', ''))
       END
  FROM news n JOIN public.projects p ON p.id = n.project_id
  LEFT JOIN public.advisor_match_requests m ON m.id = (n.data ->> 'matchId')::uuid
  LEFT JOIN auth.users u ON u.id = m.matched_advisor_id
 ORDER BY n.seen_at;

SELECT 'since ' || COALESCE(max(seen_at), :'since'::timestamptz) FROM news;
