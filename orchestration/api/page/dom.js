// Makes elements. Every text is a text node, so nothing that comes from a database can become markup.

/**
 * Return a new element. `properties` are attributes; `on` has listeners by event, `class` is a class name, and
 * true, false and null mean present and absent. Children are elements or texts; null is left out.
 */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "on") {
      for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    } else if (value === true) {
      element.setAttribute(name, "");
    } else if (value !== false && value !== null && value !== undefined) {
      element.setAttribute(name, String(value));
    }
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** Say a sentence to people who use a screen reader, without moving the focus. */
export function say(text) {
  document.getElementById("said").textContent = text;
}

/** Return an id that no other element of the page has. */
export const newId = (() => {
  let count = 0;
  return (name) => `${name}-${(count += 1)}`;
})();
