-- Petra asks for somebody for a ticket, as the HTTP gateway will let her.  Variable: item.
SELECT set_config('role', 'authenticated', false), set_config('request.jwt.claims',
       json_build_object('sub', md5('demo petra@example.org')::uuid)::text, false) \g /dev/null
SELECT CASE status WHEN 200 THEN format('assigned to %s, due %s', body ->> 'assignee_name', body ->> 'sla_deadline')
                   WHEN 202 THEN format('waits at position %s: %s', body ->> 'queue_position', body ->> 'reason')
                   ELSE format('%s %s', status, body) END
  FROM api.assignments_auto_assign(jsonb_build_object('work_item_id', :'item', 'work_item_type', 'ticket',
       'required_skills', ARRAY['returns'], 'priority', 'urgent'));
