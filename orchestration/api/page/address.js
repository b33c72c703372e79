// The view and its filters are in the fragment of the address, which a browser sends to no server.

const ORGANIZATIONS = "organizations";

/**
 * Return the view that the address asks for: {path: ["dashboards", "overview"], parameters: URLSearchParams}, and the
 * id of the organization if it names one, which it does unless it is the caller's own.
 */
export function current() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?", 2);
  const parts = path.split("/").filter(Boolean).map(decoded);
  const isNamed = parts[0] === ORGANIZATIONS && parts.length > 1;
  const parameters = new URLSearchParams(query ?? "");
  return { organization: isNamed ? parts[1] : null, path: isNamed ? parts.slice(2) : parts, parameters };
}

/** Return the address of a view, by default of this organization; parameters without a value are left out. */
export function address(path, parameters = [], organization = current().organization) {
  const given = [...parameters].filter(([, value]) => value !== null && value !== undefined && value !== "");
  const query = new URLSearchParams(given).toString();
  const whole = organization === null ? path : [ORGANIZATIONS, organization, ...path];
  return `#/${whole.map(encodeURIComponent).join("/")}${query ? `?${query}` : ""}`;
}

/** Return where a row leads by its panel's `drill`, null if nowhere; `kept` are the filters of this view. */
export function drilled(drill, row, kept, accepted) {
  if (!drill) return null;
  const by = Object.entries(drill.by).map(([parameter, column]) => [parameter, row[column] ?? null]);
  if (by.every(([, value]) => value === null)) return null;
  const given = new Map([...kept].filter(([name]) => accepted.has(name)));
  for (const [name, value] of [...Object.entries(drill.fixed), ...by]) given.set(name, value);
  const path = drill.to === "patterns" ? ["patterns"] : ["dashboards", drill.to];
  return address(path, given);
}

/** Return the address of a thing in Orgo by a template such as https://orgo.example.org/cases/{case_id}. */
export const inOrgo = (template, name, id) => template.replace(`{${name}}`, () => encodeURIComponent(id));

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
