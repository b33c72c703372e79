// Starts the page: logs in, and shows the view that the address asks for whenever it changes.
import { address, current } from "./address.js";
import { dashboards, logIn, logOut, settings } from "./api.js";
import { showDashboard } from "./dashboard.js";
import { h, say } from "./dom.js";
import { withVisibility } from "./filters.js";
import { loginForm, takeHandedTokens } from "./login.js";
import { organizationOf } from "./organizations.js";
import { showPattern, showPatterns } from "./patterns.js";
import { failed, waiting } from "./states.js";

const FIRST = "overview";
const main = document.getElementById("main");
const views = document.getElementById("views");
const leaveButton = document.getElementById("leave");
const organization = document.getElementById("organization");

let known = { needs_token: true, token_origins: [], links: {} };
let context = null;
let askAgain = () => {};
let shown = 0;

async function start() {
  main.replaceChildren(waiting());
  try {
    known = await settings();
  } catch (problem) {
    main.replaceChildren(failed(problem, start));
    return;
  }
  leaveButton.addEventListener("click", () => leave(null));
  window.addEventListener("hashchange", show);
  document.getElementById("skip").addEventListener("click", skip);
  if (!known.needs_token) {
    enter(null);
    return;
  }
  leave(null);
  askAgain = takeHandedTokens(known.token_origins, enter);
}

async function enter(token) {
  try {
    const caller = await logIn(token);
    const listed = await dashboards();
    context = {
      caller,
      links: known.links,
      leave,
      dashboards: new Map(listed.dashboards.map((dashboard) => [dashboard.name, dashboard])),
      patternParameters: withVisibility(listed.pattern_parameters, caller),
    };
  } catch (problem) {
    leave(problem.message);
    return;
  }
  leaveButton.hidden = !known.needs_token;
  show();
}

/** Log out, show the login and why; the page that handed the token is asked for another one. */
function leave(says) {
  logOut();
  context = null;
  views.hidden = true;
  leaveButton.hidden = true;
  organization.textContent = "";
  document.title = "Log in · Orgo Insights";
  main.replaceChildren(loginForm(enter, says));
  if (says) askAgain();
}

/** Show the view of the address. An answer that comes after the user has gone on to another view is not shown. */
async function show() {
  if (!context) return;
  const { path, parameters } = current();
  const [kind = "dashboards", name] = path;
  const dashboard = context.dashboards.get(name ?? FIRST);
  const view = h("div", { class: "view" });
  const turn = (shown += 1);
  organization.replaceChildren(organizationOf(context.caller));
  navigation(kind, kind === "dashboards" ? dashboard?.name : null);
  main.replaceChildren(waiting());
  say("Loading");
  if (kind === "patterns" && name) await showPattern(view, name, parameters, context);
  else if (kind === "patterns") await showPatterns(view, parameters, context);
  else if (kind === "dashboards" && dashboard) await showDashboard(view, dashboard, parameters, context);
  else view.append(h("h1", { tabindex: -1 }, "Nothing here"), h("p", {}, "There is no such view. Choose another one above."));
  if (turn !== shown || !context) return;
  main.replaceChildren(view);
  const title = view.querySelector("h1");
  document.title = `${title.textContent} · Orgo Insights`;
  title.focus({ preventScroll: true });
  window.scrollTo(0, 0);
  say(`${title.textContent} is shown`);
}

function navigation(kind, name) {
  const links = [...context.dashboards.values()]
    .sort((a, b) => (b.name === FIRST) - (a.name === FIRST) || a.title.localeCompare(b.title))
    .map((d) => link(d.title, address(["dashboards", d.name]), kind === "dashboards" && d.name === name));
  views.replaceChildren(h("ul", {}, ...links, link("Patterns", address(["patterns"]), kind === "patterns")));
  views.hidden = false;
}

const link = (text, href, isCurrent) => h("li", {}, h("a", { href, "aria-current": isCurrent ? "page" : null }, text));

/** A fragment is a view here, so the link to the content moves the focus itself. */
function skip(event) {
  event.preventDefault();
  main.focus();
}

start();
