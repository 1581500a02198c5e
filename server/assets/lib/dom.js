// The few lines that the pages share for finding, making and filling elements.

export const find = (id) => document.getElementById(id);

/** Makes an element: `make('a', { href: '/x', class: 'button' }, 'text', child)`. Text is always text, never markup. */
export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith('on')) element.addEventListener(key.slice(2), value);
    else if (value !== undefined && value !== false) element.setAttribute(key, value === true ? '' : value);
  }
  element.append(...children.filter((child) => child !== undefined && child !== null));
  return element;
}

/** Replaces what an element holds. */
export const fill = (element, ...children) => element.replaceChildren(...children.filter((child) => child !== undefined && child !== null));

/** Shows one of several sections and hides the others; the heading of the shown one takes the focus. */
export function show(section) {
  for (const other of document.querySelectorAll('[data-section]')) other.hidden = other !== section;
  const heading = section.querySelector('h1, h2');
  if (heading) {
    heading.tabIndex = -1;
    heading.focus({ preventScroll: true });
  }
}

/** A list of terms and what they are; empty ones are left out. */
export function facts(pairs, extra = '') {
  const list = make('dl', { class: `facts ${extra}` });
  for (const [term, value] of pairs) {
    if (value === undefined || value === null || value === '') continue;
    list.append(make('dt', {}, term), make('dd', {}, typeof value === 'object' && !(value instanceof Node) ? JSON.stringify(value) : value instanceof Node ? value : String(value)));
  }
  return list;
}

/** A time of day that people read, with the seconds left if it is near. */
export const clock = (iso) => new Date(iso).toLocaleTimeString(document.documentElement.lang, { hour: '2-digit', minute: '2-digit' });
