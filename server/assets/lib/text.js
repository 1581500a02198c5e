// What the pages say: one file per language, chosen by the browser's wish, changeable by the person.

import { find, make } from './dom.js';

const KEY = 'stepup-language';
const root = document.documentElement;
const languages = (root.dataset.languages ?? 'en').split(' ');
let texts = {};

/** The language on show. */
export const language = () => root.lang;

/** A text by its key; `{name}` is replaced by the value of that name. */
export const text = (key, values = {}) => (texts[key] ?? key).replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);

/** Whether there is a text of this key. */
export const hasText = (key) => key in texts;

function wished() {
  let kept;
  try {
    kept = localStorage.getItem(KEY);
  } catch {
    // Storage may be forbidden; the choice then lasts as long as the page.
  }
  // The page may come from the store for offline use, whose language is that of the day it was kept.
  const wishes = [kept, ...navigator.languages.map((tag) => tag.split('-')[0].toLowerCase()), root.lang];
  return wishes.find((code) => languages.includes(code)) ?? 'en';
}

async function speak(code, title) {
  const answer = await fetch(`/assets/lang/${code}.json`);
  texts = await answer.json();
  root.lang = code;
  root.dir = texts.direction;
  document.title = text(title);
  for (const element of document.querySelectorAll('[data-text]')) element.textContent = text(element.dataset.text);
  for (const element of document.querySelectorAll('[data-label]')) element.setAttribute(element.localName === 'img' ? 'alt' : 'aria-label', text(element.dataset.label));
}

/** Without its texts a page has nothing to say: while the connection is lost it asks for them again. */
async function speakAtLast(code, title) {
  for (;;) {
    try {
      return await speak(code, title);
    } catch {
      await new Promise((done) => setTimeout(done, 2000));
    }
  }
}

/** Fills the page's texts and its list of languages. `changed` is called when the person takes another one. */
export async function start(title, changed) {
  await speakAtLast(wished(), title);
  const choice = find('language');
  choice.append(...languages.map((code) => make('option', { value: code, lang: code, selected: code === root.lang }, new Intl.DisplayNames([code], { type: 'language' }).of(code))));
  choice.onchange = async () => {
    try {
      localStorage.setItem(KEY, choice.value);
    } catch {
      // As above.
    }
    await speak(choice.value, title).catch(() => {});
    changed();
  };
}
