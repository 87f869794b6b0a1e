-- The invariants of the main job, a line per violation; no line: the books are right.
WITH finalized AS (
    SELECT m.id, m.project_id, m.matched_advisor_id AS advisor_id,
           m.id = (SELECT o.id FROM public.advisor_match_requests o
                    WHERE o.project_id = m.project_id AND o.status = 'finalized'
                    ORDER BY o.finalized_at DESC, o.id LIMIT 1) AS is_latest
      FROM public.advisor_match_requests m WHERE m.status = 'finalized'
), counted AS (
    SELECT f.*,
           (SELECT count(*) FROM public.workspace_provisioning_queue q WHERE q.match_id = f.id AND q.status = 'completed') AS completed,
           (SELECT count(*) FROM public.project_advisors a
             WHERE a.project_id = f.project_id AND a.advisor_id = f.advisor_id AND a.status = 'active') AS memberships,
           (SELECT count(*) FROM public.unified_chat_sessions s
             WHERE s.project_id = f.project_id AND s.user_id = f.advisor_id AND s.session_state = 'active') AS sessions,
           (SELECT count(*) FROM public.project_chat_log_minimal l
             WHERE l.project_id = f.project_id AND l.client_msg_id = f.id AND l.message_type = 'system') AS welcomes,
           (SELECT count(*) FROM steward.event e
             WHERE e.project_id = f.project_id AND e.name = 'advisor.workspace_ready' AND e.data ->> 'matchId' = f.id::text) AS ready
      FROM finalized f
)
SELECT format('match %s: %s completed jobs, %s memberships, %s sessions, %s welcomes, %s ready events',
              id, completed, memberships, sessions, welcomes, ready)
  FROM counted
 WHERE (completed, welcomes, ready) IS DISTINCT FROM (1, 1, 1)
    OR (is_latest AND (memberships, sessions) IS DISTINCT FROM (1, 1))
UNION ALL
SELECT format('job %s is %s, its match %s is %s', q.id, q.status, m.id, m.status)
  FROM public.workspace_provisioning_queue q JOIN public.advisor_match_requests m ON m.id = q.match_id
 WHERE q.status IN ('pending', 'processing', 'rollback_needed')
    OR (q.status = 'failed' AND m.status = 'finalized')
UNION ALL
SELECT format('project %s has %s active advisors', project_id, count(*))
  FROM public.project_advisors WHERE status = 'active' GROUP BY project_id HAVING count(*) > 1
UNION ALL
SELECT format('project %s: message numbers have a gap', project_id)
  FROM public.project_chat_log_minimal GROUP BY project_id HAVING max(seq) <> count(*)
UNION ALL
SELECT format('project %s: event numbers have a gap', project_id)
  FROM steward.event GROUP BY project_id HAVING max(seq) <> count(*)
UNION ALL
SELECT format('match %s was rolled back %s times by one intervention', intervention_metadata ->> 'matchId', count(*))
  FROM public.admin_matching_interventions
 WHERE intervention_type = 'workspace_provisioning_failure'
 GROUP BY intervention_metadata ->> 'matchId', intervention_metadata ->> 'attempt' HAVING count(*) > 1
 LIMIT 20;
