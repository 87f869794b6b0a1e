-- The figures of the run that began at :'since'.
SELECT format(E'  matches finalized   %s\n  workspaces ready    %s\n  finalize to ready   median %s ms, 95th percentile %s ms',
        count(*), count(e.project_id),
        round(percentile_cont(0.5) WITHIN GROUP (ORDER BY wait.ms)::numeric, 1),
        round(percentile_cont(0.95) WITHIN GROUP (ORDER BY wait.ms)::numeric, 1))
  FROM public.advisor_match_requests m
  LEFT JOIN steward.event e ON e.project_id = m.project_id AND e.name = 'advisor.workspace_ready' AND e.data ->> 'matchId' = m.id::text
 CROSS JOIN LATERAL (SELECT extract(epoch FROM pg_xact_commit_timestamp(e.xmin) - pg_xact_commit_timestamp(m.xmin)) * 1000 AS ms) wait
 WHERE m.status = 'finalized' AND m.finalized_at >= :'since'::timestamptz;
