-- The words of the assignment engine, and the helper behind optimistic locking.

-- low to urgent: ORDER BY priority DESC serves what is urgent first.
CREATE TYPE public.priority_level AS ENUM ('low', 'normal', 'high', 'urgent');
COMMENT ON TYPE public.priority_level IS 'how urgent a work item is; DESC gives the most urgent first';
CREATE TYPE public.availability_status AS ENUM ('available', 'on_leave', 'unavailable');
COMMENT ON TYPE public.availability_status IS 'whether somebody may be given work; only available may';
CREATE TYPE public.work_item_type AS ENUM ('dossier', 'ticket', 'position', 'task');
COMMENT ON TYPE public.work_item_type IS 'what kind of thing a work item is; the thing itself lives elsewhere';
CREATE TYPE public.assignment_status AS ENUM ('pending', 'assigned', 'in_progress', 'completed', 'cancelled');
COMMENT ON TYPE public.assignment_status IS 'how far an assignment has come; assigned and in_progress are active and count';
CREATE TYPE public.escalation_reason AS ENUM ('sla_breach', 'manual', 'capacity_exhaustion');
COMMENT ON TYPE public.escalation_reason IS 'why somebody else has to look at an assignment';

CREATE FUNCTION public.increment_version_column() RETURNS trigger
    LANGUAGE plpgsql AS $$
BEGIN
    NEW.version := OLD.version + 1;
    NEW.updated_at := steward.now();
    RETURN NEW;
END $$;
COMMENT ON FUNCTION public.increment_version_column() IS
    'optimistic locking: an update WHERE version = what was read finds no row once somebody else was faster';
