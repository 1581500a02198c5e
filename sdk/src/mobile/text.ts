// What may be shown to a person who is about to approve something. The server checks it before it freezes a context; the phone, which
// shows it, checks again.

/** Why a text must not be shown; the names are those of the shared vectors. */
export class TextError extends Error {
  constructor(readonly reason: 'TooLong' | 'Control' | 'Bidi' | 'Invisible' | 'Marks') {
    super(`a text that a person is shown is not fit for it: ${reason}`);
  }
}

/** Characters that turn their neighbours around. */
const BIDI = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/u;
/** Soft hyphen, grapheme joiner, fillers, variation selectors, zero-width characters, invisible operators, blank Braille, tags. */
const INVISIBLE =
  /[\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200d\u2060-\u2065\u206a-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\u{1bca0}-\u{1bca3}\u{1d173}-\u{1d17a}\u{e0000}-\u{e0fff}]/u;
/** Controls, line and paragraph separators, annotations, the replacement character, private characters and those that are none. */
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\ufff9-\ufffd\ue000-\uf8ff\ufdd0-\ufdef\u{f0000}-\u{10ffff}]/u;

/** The longest label in characters, and the most marks on one of them. */
const [LONGEST, MOST_MARKS] = [140, 3];

/** The text as it is shown, and whether it mixes scripts that no language writes together (UTS #39 §5.1). Throws {@link TextError}. */
export function shown(text: string, longest = LONGEST): { text: string; mixedScript: boolean } {
  const composed = text.normalize('NFC');
  const characters = [...composed];
  if (characters.length > longest) throw new TextError('TooLong');
  let marks = 0;
  for (const character of characters) {
    if (BIDI.test(character)) throw new TextError('Bidi');
    if (INVISIBLE.test(character)) throw new TextError('Invisible');
    if (CONTROL.test(character) || isNone(character)) throw new TextError('Control');
    marks = /\p{M}/u.test(character) ? marks + 1 : 0;
    if (marks > MOST_MARKS) throw new TextError('Marks');
  }
  return { text: composed, mixedScript: mixes(characters) };
}

/** The last two places of every plane are no characters. */
const isNone = (character: string): boolean => ((character.codePointAt(0) ?? 0) & 0xfffe) === 0xfffe;

/** The scripts that living languages write in (UAX #31 table 5). */
const SCRIPTS = [
  'Arabic', 'Armenian', 'Bengali', 'Bopomofo', 'Cherokee', 'Cyrillic', 'Devanagari', 'Ethiopic', 'Georgian', 'Greek', 'Gujarati', 'Gurmukhi',
  'Han', 'Hangul', 'Hebrew', 'Hiragana', 'Kannada', 'Katakana', 'Khmer', 'Lao', 'Latin', 'Malayalam', 'Mongolian', 'Myanmar', 'Oriya',
  'Sinhala', 'Tamil', 'Telugu', 'Thaana', 'Thai', 'Tibetan',
];
/** What is written together: Han with Bopomofo, with Kana, and with Hangul. */
const TOGETHER: Record<string, string[]> = {
  Han: ['Hanb', 'Jpan', 'Kore'],
  Bopomofo: ['Hanb'],
  Hiragana: ['Jpan'],
  Katakana: ['Jpan'],
  Hangul: ['Kore'],
};
const tests = SCRIPTS.map((name) => ({ name, test: new RegExp(`\\p{scx=${name}}`, 'u') }));

/** Whether no script, and no group of scripts, has all characters. Those that every script has do not count. */
function mixes(characters: string[]): boolean {
  let left: Set<string> | undefined;
  for (const character of characters) {
    if (/[\p{scx=Common}\p{scx=Inherited}]/u.test(character)) continue;
    const own = tests.filter(({ test }) => test.test(character)).flatMap(({ name }) => [name, ...(TOGETHER[name] ?? [])]);
    const scripts = own.length > 0 ? own : ['another'];
    left = new Set(left ? scripts.filter((name) => left?.has(name)) : scripts);
    if (left.size === 0) return true;
  }
  return false;
}
