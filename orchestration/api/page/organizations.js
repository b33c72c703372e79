// Whose figures are shown: the caller's organization, or the one that a caller who may see several has chosen.
import { address, current } from "./address.js";
import { h } from "./dom.js";

/** Return the name of the organization, or a field to choose one of several. */
export function organizationOf(caller) {
  const { organization, path, parameters } = current();
  if (caller.organizations.length < 2) return document.createTextNode(caller.organization.name ?? "");
  const shown = organization ?? caller.organization.id;
  const options = caller.organizations.map(({ id, name }) => h("option", { value: id, selected: id === shown }, name ?? id));
  const choose = (event) => {
    const chosen = event.target.value;
    location.hash = address(path, parameters, chosen === caller.organization.id ? null : chosen);
  };
  return h("select", { "aria-label": "Organization", on: { change: choose } }, ...options);
}
