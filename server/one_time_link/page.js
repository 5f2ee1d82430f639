"use strict";
(() => {
  const find = (id) => document.getElementById(id);
  const all = (selector) => document.querySelectorAll(selector);
  const sentences = JSON.parse(find("sentences").textContent);
  let language = document.documentElement.lang;
  let shown = null;
  let notice = null;

  const say = (key) => sentences[language][key];
  const said = (server) => `${server.host}, ${say("port")} ${server.port}, ${say(server.security)}`;

  function write() {
    document.documentElement.lang = language;
    document.title = say("title");
    for (const element of all("[data-say]")) element.textContent = say(element.dataset.say);
    for (const element of all("[data-say-alt]")) element.alt = say(element.dataset.sayAlt);
    for (const button of all("[data-language]")) {
      if (button.dataset.language === language) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
    }
    find("notice").textContent = notice === null ? "" : say(notice);
    if (shown !== null) {
      for (const element of all("[data-server]")) element.textContent = said(shown.servers[element.dataset.server]);
    }
  }

  function turn(id) {
    for (const each of ["ask", "shown", "refused"]) find(each).hidden = each !== id;
  }

  // The token has done its work: neither the history nor a copied address shall keep it.
  function forgetToken() {
    history.replaceState(null, "", location.pathname);
  }

  function show(answer) {
    shown = answer;
    find("address").textContent = answer.address;
    find("password").textContent = answer.password;
    find("profile").href = answer.profileUrl;
    find("profile-code").src = answer.profileCode;
    find("android").hidden = answer.accountCode === null;
    if (answer.accountCode !== null) find("account-code").src = answer.accountCode;
    turn("shown");
    write();
    find("password-label").focus();
  }

  async function press() {
    const button = find("press");
    button.disabled = true;
    notice = "working";
    write();
    try {
      const answer = await fetch(location.pathname, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ token: location.hash.slice(1) }),
        credentials: "omit",
        cache: "no-store",
        redirect: "error",
      });
      notice = answer.status === 429 ? "later" : "trouble";
      if (answer.ok) {
        const content = await answer.json();
        forgetToken();
        notice = null;
        show(content);
      } else if (answer.status === 404) {
        forgetToken();
        notice = null;
        turn("refused");
        find("refused").firstElementChild.focus();
      }
    } catch {
      notice = "trouble";
    }
    button.disabled = false;
    write();
  }

  async function copy(button) {
    const element = find(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(element.textContent);
    } catch {
      // Without https there is no clipboard for pages: the text is marked, so that a key copies it.
      getSelection().selectAllChildren(element);
      if (!document.execCommand("copy")) return;
    }
    button.textContent = say("copied");
    button.dataset.say = "copied";
  }

  find("press").addEventListener("click", press);
  for (const button of all("[data-copy]")) button.addEventListener("click", () => copy(button));
  for (const button of all("[data-language]")) {
    button.addEventListener("click", () => {
      language = button.dataset.language;
      write();
    });
  }
  // Another link in the same tab is another page; one that is left keeps nothing for the way back.
  addEventListener("hashchange", () => location.reload());
  addEventListener("pagehide", () => {
    find("password").textContent = "";
    if (shown !== null) turn("refused");
  });
})();
