{#- Whether a share reaches its target: too_early while fewer tasks are decided than the target asks for, else on_track or off_track. -#}
{% macro target_status(met, decided, target_percent, min_count) -%}
    case
        when {{ decided }} < {{ min_count }} then 'too_early'
        when 100 * {{ met }} >= {{ target_percent }} * {{ decided }} then 'on_track'
        else 'off_track'
    end
{%- endmacro %}
