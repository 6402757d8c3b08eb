// A resource owner without a browser: fills in the forms of the pages, and goes where they lead.

const unescape = (text) =>
  text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(amp|lt|gt|quot|apos));/gi, (_, hex, decimal, name) =>
    name ? { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" }[name.toLowerCase()]
      : String.fromCodePoint(hex ? parseInt(hex, 16) : Number(decimal)));

// The attributes of a tag.
function attributes(tag) {
  const found = [...tag.matchAll(/([a-z_-]+)(?:="([^"]*)")?/gi)].slice(1);
  return Object.fromEntries(found.map(([, name, value]) => [name, unescape(value ?? "")]));
}

// The forms of a page: where each goes, what it would send, and the names of its fields and buttons.
function formsOf(page) {
  return [...page.matchAll(/<form\b[^>]*>[\s\S]*?<\/form>/g)].map(([form]) => {
    const [inputs, buttons] = ["input", "button"].map((name) =>
      [...form.matchAll(new RegExp(`<${name}\\b[^>]*>`, "g"))].map(([tag]) => attributes(tag)));
    const sent = inputs.filter((input) => input.type === "hidden" || (input.type === "checkbox" && "checked" in input));
    return {
      action: attributes(form.slice(0, form.indexOf(">"))).action,
      fields: sent.map(({ name, value }) => [name, value]),
      has: (wanted) => inputs.some(({ name }) => name === wanted),
      offers: (wanted) => buttons.some(({ name, value }) => name === "decision" && value === wanted),
    };
  });
}

export class Visitor {
  #cookies = new Map();

  constructor({ username, password }) {
    this.username = username;
    this.password = password;
  }

  async #send(url, options = {}) {
    const cookie = [...this.#cookies].map((pair) => pair.join("=")).join("; ");
    const answer = await fetch(url, { redirect: "manual", ...options, headers: { ...options.headers, cookie } });
    for (const line of answer.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
      if (/max-age=0/i.test(line)) this.#cookies.delete(name);
      else this.#cookies.set(name, value);
    }
    return answer;
  }

  // Resolves to where the answer to an authorization request goes, once it has been decided.
  async allow(url, decision = "allow") {
    const { origin } = new URL(url);
    let at = new URL(url);
    let answer = await this.#send(at);
    for (let steps = 0; steps < 6; steps++) {
      const location = answer.headers.get("location");
      if (location !== null) {
        at = new URL(location, at);
        if (at.origin !== origin) return at;
        answer = await this.#send(at);
        continue;
      }
      const page = await answer.text();
      if (answer.status !== 200) throw new Error(`${answer.status}: ${page}`);
      [at, answer] = await this.#fillIn(at, page, decision);
    }
    throw new Error(`${url} leads nowhere`);
  }

  // Allows the device of a `verification_uri_complete`.
  async connect(url) {
    let at = new URL(url);
    let answer = await this.#send(at);
    for (let steps = 0; steps < 8; steps++) {
      const location = answer.headers.get("location");
      if (location !== null) {
        at = new URL(location, at);
        answer = await this.#send(at);
        continue;
      }
      const page = await answer.text();
      if (answer.status !== 200) throw new Error(`${answer.status}: ${page}`);
      if (!formsOf(page).some((form) => form.has("username") || form.has("user_code") || form.offers("allow"))) return;
      [at, answer] = await this.#fillIn(at, page, "allow", new URL(url).searchParams.get("user_code"));
    }
    throw new Error(`${url} leads nowhere`);
  }

  async #fillIn(at, page, decision, code) {
    for (const form of formsOf(page)) {
      let fields;
      if (form.has("username")) fields = { username: this.username, password: this.password };
      else if (form.offers(decision)) fields = { decision };
      else if (form.has("user_code") && code) fields = { user_code: code };
      else continue;
      const target = new URL(form.action, at);
      const body = new URLSearchParams([...form.fields, ...Object.entries(fields)]);
      return [target, await this.#send(target, { method: "POST", body })];
    }
    throw new Error(`no form to fill in: ${page}`);
  }
}
