/**
 * The page allows no style element without its nonce. The editor makes style elements by script, so each one that a
 * script makes is given the nonce; one that came in as markup would still be refused.
 */
const nonce = document.querySelector<HTMLScriptElement>("script[nonce]")?.nonce ?? "";
const createElement = document.createElement.bind(document);

document.createElement = (name: string, options?: ElementCreationOptions): HTMLElement => {
  const element = createElement(name, options);
  if (element instanceof HTMLStyleElement) {
    element.nonce = nonce;
  }
  return element;
};

export {};
