"""What somebody can plant who may create in `public`, and who owns types: functions, operators and casts."""

# For each function of PostgreSQL that takes a name, an object of the catalog or a date, one in `public` that takes what
# queries really pass, so that PostgreSQL prefers it wherever `public` is in the search path. Each tells who called it.
TRAPS = """
do $plant$
declare
    one record;
begin
    for one in
        select
            p.proname,
            array_to_string(array(
                select
                    case
                        when t in ('name'::regtype, 'date'::regtype, 'varchar'::regtype) then 'text'
                        else t::regtype::text
                    end
                from unnest(p.proargtypes::oid[]) with ordinality as a (t, n) order by n
            ), ', ') as arguments,
            p.prorettype::regtype::text as result
        from pg_proc as p
        where
            p.pronamespace = 'pg_catalog'::regnamespace and p.prokind = 'f' and not p.proretset
            and p.prorettype not in ('internal'::regtype, 'trigger'::regtype, 'cstring'::regtype)
            and p.proargtypes::oid[] && array['name', 'date', 'varchar']::regtype[]::oid[]
            and not p.proargtypes::oid[] && array['internal', 'cstring']::regtype[]::oid[]
    loop
        begin
            execute format(
                'create function public.%I(%s) returns %s language plpgsql as $f$ begin'
                ' raise exception ''TRAP %s, called by %%'', current_user; end $f$',
                one.proname, one.arguments, one.result, one.proname
            );
        exception when others then null;
        end;
    end loop;
end
$plant$;
create function public.trap(text, name) returns boolean language plpgsql as
$f$ begin raise exception 'TRAP =, called by %', current_user; end $f$;
create function public.trap(name, text) returns boolean language plpgsql as
$f$ begin raise exception 'TRAP =, called by %', current_user; end $f$;
create operator public.= (function = public.trap, leftarg = text, rightarg = name);
create operator public.= (function = public.trap, leftarg = name, rightarg = text);
"""

# Casts have no schema: whoever owns a type can put one on it, and PostgreSQL prefers it to its own conversion.
CASTS = """
do $plant$
declare
    of_type regtype;
    target text;
begin
    for of_type in
        select t.oid from pg_type as t
        where t.typtype in ('e', 'c', 'r') and t.typowner = 'planter'::regrole
    loop
        execute format(
            'create function public.trap_equal(%1$s, %1$s) returns boolean language plpgsql as $f$ begin'
            ' raise exception ''TRAP = of %1$s, called by %%'', current_user; end $f$;'
            'create operator public.= (function = public.trap_equal, leftarg = %1$s, rightarg = %1$s)',
            of_type
        );
        foreach target in array array['text', 'varchar', 'bpchar', 'name', 'json', 'jsonb', 'uuid', 'integer'] loop
            execute format(
                'create function public.%3$I(%1$s) returns %2$s language plpgsql as $f$ begin'
                ' raise exception ''TRAP cast %1$s to %2$s, called by %%'', current_user; end $f$;'
                'create cast (%1$s as %2$s) with function public.%3$I(%1$s) as implicit',
                of_type, target, 'trap_to_' || target
            );
        end loop;
    end loop;
end
$plant$;
"""
