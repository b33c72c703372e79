// The filters of a view: a form made from the parameters as the service lists them. Applying it changes the address.
import { h, newId } from "./dom.js";
import { words } from "./format.js";

const WIDGETS = {
  integer: (name, p, value) =>
    input(name, p, { type: "number", min: p.min, max: p.max, value: value ?? "", placeholder: p.default, step: 1 }),
  month: (name, p, value) => input(name, p, { type: "month", min: p.min, max: p.max, value: value ?? p.default ?? "" }),
  day: (name, p, value) => input(name, p, { type: "date", value: value ?? "" }),
  text: (name, p, value) => input(name, p, { type: "text", maxlength: p.max_length, value: value ?? "" }),
  choice,
  tokens,
  switch: (name, p, value) => check(name, "true", words(name), value === "true", p.description),
};

/**
 * Return a form for parameters by name, filled from the address. `apply` gets the new parameters; `errors` are those
 * of the last answer, each shown beside its field.
 */
export function filters(parameters, given, apply, errors = []) {
  const fields = Object.entries(parameters).map(([name, parameter]) =>
    h("div", { class: "field" }, WIDGETS[parameter.type](name, parameter, given.get(name)), wrong(errors, name)),
  );
  if (!fields.length) return null;
  const submit = (event) => {
    event.preventDefault();
    apply(values(event.target, parameters));
  };
  const form = h(
    "form",
    { "aria-label": "Filters", novalidate: true, on: { submit } },
    ...fields,
    h(
      "div",
      { class: "actions" },
      h("button", { type: "submit", class: "main" }, "Apply"),
      h("button", { type: "button", on: { click: () => apply([]) } }, "Reset"),
    ),
  );
  const set = [...given].filter(([name]) => name in parameters).map(([name, value]) => `${words(name).toLowerCase()} ${value}`);
  return h("details", { class: set.length ? "filters set" : "filters", open: errors.length > 0 }, h("summary", {}, set.length ? `Filters: ${set.join("; ")}` : "Filters"), form);
}

/** Return parameters with that of visibility, where the caller may see more than one. */
export function withVisibility(parameters, caller) {
  if (caller.visibilities.length < 2) return parameters;
  const visibility = { type: "tokens", values: caller.visibilities, description: "Only what has these visibilities." };
  return { ...parameters, visibility };
}

/** Return the values of a form as pairs; what is empty, or all tokens of a list, is left out. */
function values(form, parameters) {
  return Object.entries(parameters).flatMap(([name, parameter]) => {
    const chosen = new FormData(form).getAll(name).map((value) => value.trim()).filter(Boolean);
    const isAll = parameter.type === "tokens" && chosen.length === parameter.values.length;
    const isDefault = parameter.type === "choice" && chosen[0] === parameter.values[0];
    return chosen.length && !isAll && !isDefault ? [[name, chosen.join(",")]] : [];
  });
}

function input(name, parameter, attributes) {
  const id = newId("filter");
  return [
    h("label", { for: id }, words(name)),
    h("input", { id, name, "aria-describedby": `${id}-says`, autocomplete: "off", ...attributes }),
    h("small", { id: `${id}-says` }, parameter.description),
  ];
}

function choice(name, parameter, value) {
  const id = newId("filter");
  const options = parameter.values.map((token) =>
    h("option", { value: token, selected: token === (value ?? parameter.values[0]) }, words(token)),
  );
  return [
    h("label", { for: id }, words(name)),
    h("select", { id, name, "aria-describedby": `${id}-says` }, ...options),
    h("small", { id: `${id}-says` }, parameter.description),
  ];
}

function tokens(name, parameter, value) {
  const chosen = value ? value.split(",") : parameter.values;
  const boxes = parameter.values.map((token) => check(name, token, words(token), chosen.includes(token)));
  return h("fieldset", {}, h("legend", {}, words(name)), ...boxes, h("small", {}, parameter.description));
}

function check(name, value, label, checked, description = null) {
  const box = h("input", { type: "checkbox", name, value, checked });
  return h("label", { class: "check" }, box, ` ${label}`, description && h("small", {}, description));
}

function wrong(errors, name) {
  const found = errors.filter((error) => error.parameter === name);
  return found.length ? h("p", { class: "wrong" }, found.map((error) => error.detail).join(" ")) : null;
}
