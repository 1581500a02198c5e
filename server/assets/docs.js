// The API for people: draws /openapi.json. It knows nothing of any operation that is not written there.

import { facts, fill, find, make } from './lib/dom.js';

const METHODS = ['get', 'post', 'put', 'patch', 'delete'];

/** Text of the document, whose only markup is code between backticks. */
const prose = (text) => text.split('`').map((piece, index) => (index % 2 ? make('code', {}, piece) : piece));

/** Paragraphs, and lists of what begins with a dash. */
function paragraphs(text) {
  return text.split(/\n\n+/).flatMap((block) => {
    const lines = block.split('\n');
    const items = lines.filter((line) => line.startsWith('- ')).map((line) => make('li', {}, ...prose(line.slice(2))));
    const words = lines.filter((line) => !line.startsWith('- ')).join(' ');
    const said = words && make('p', {}, ...prose(words));
    if (!items.length) return [said];
    return [make('details', {}, make('summary', {}, words), make('ul', {}, ...items))];
  });
}

/** What the summary says besides the method and the path, which are the heading. */
function purpose({ summary = '', description = '' }) {
  const said = summary.replace(/^`[^`]*`/, '').replace(/^[\s:;,.]+/, '');
  return [said.charAt(0).toUpperCase() + said.slice(1), description].filter(Boolean).join('\n\n');
}

const exampleOf = ({ name, example }) => example ?? name.toUpperCase();

/** How each way to say who one is looks to curl. */
const CREDENTIALS = { secret: '-u "$SECRET:"', tenant: '-u "$TENANT:"', token: '-H "Authorization: Bearer $TOKEN"' };

function curl(base, { method, path, operation, waysIn }) {
  const parameters = operation.parameters ?? [];
  const of = (place) => parameters.filter((parameter) => parameter.in === place && (parameter.required || place === 'path'));
  const filled = of('path').reduce((address, parameter) => address.replace(`{${parameter.name}}`, encodeURIComponent(exampleOf(parameter))), path);
  const query = of('query').map((parameter) => `${parameter.name}=${encodeURIComponent(exampleOf(parameter))}`).join('&');
  const body = operation.requestBody?.content?.['application/json']?.example;
  const parts = [
    `curl ${method === 'get' ? '' : `-X ${method.toUpperCase()} `}"${base}${filled}${query && `?${query}`}"`,
    CREDENTIALS[waysIn.find((name) => name in CREDENTIALS)],
    ...of('header').map((parameter) => `-H "${parameter.name}: ${exampleOf(parameter)}"`),
    ...(body === undefined ? [] : ["-H 'Content-Type: application/json'", `-d '${JSON.stringify(body, null, 1).replace(/\n */g, ' ').replaceAll("'", "'\\''")}'`]),
  ];
  return parts.filter(Boolean).join(' \\\n  ');
}

function parameter({ name, in: place, required, description, schema = {}, example }) {
  const type = [schema.type].flat().filter((word) => word && word !== 'null').join(' or ');
  const rest = [required ? 'required' : 'optional', `in the ${place}`, type].filter(Boolean).join(', ');
  return [make('code', {}, name), make('span', {}, ...(description ? [...prose(description), make('br')] : []), make('small', {}, example === undefined ? rest : `${rest}, such as ${example}`))];
}

/** The schema, or the one that it names. */
const named = (api, schema) => (schema.$ref ? api.components.schemas[schema.$ref.split('/').pop()] : schema);

/** What a value is: `string (uuid)`, `array of string`, one of some words. */
function kind(api, schema) {
  const known = named(api, schema);
  if (known.oneOf) return known.oneOf.map((one) => kind(api, one)).join(' or ');
  const words = known.enum ?? ('const' in known ? [known.const] : []);
  if (words.length) return words.map((word) => `\`${word}\``).join(' or ');
  const type = [known.type ?? 'anything'].flat().join(' or ');
  if (known.items) return `${type} of ${kind(api, known.items)}`;
  return known.format ? `${type} (${known.format})` : type;
}

/** What a value holds, each member by its way there: `reasons[].text`. */
function members(api, schema, way = '') {
  const { properties = {}, required = [], items, oneOf = [] } = named(api, schema);
  const own = Object.entries(properties).flatMap(([name, member]) => {
    const there = way ? `${way}.${name}` : name;
    return [{ there, member, always: required.includes(name) }, ...members(api, member, there)];
  });
  return [...own, ...(items ? members(api, items, `${way}[]`) : []), ...oneOf.flatMap((one) => members(api, one, way))];
}

/** What is answered when all is well, folded: most readers want the call. */
function holds(api, { content }) {
  const schema = content?.['application/json']?.schema;
  const found = schema ? members(api, schema) : [];
  if (!found.length) return undefined;
  const told = found.map(({ there, member, always }) => {
    const { description } = named(api, member);
    const rest = [...(always ? [] : ['optional']), kind(api, member)].join(', ');
    return [make('code', {}, there), make('span', {}, ...(description ? [...prose(description), make('br')] : []), make('small', {}, ...prose(rest)))];
  });
  return make('details', {}, make('summary', {}, 'Members of the answer'), facts(told));
}

function example(command) {
  const said = make('span', { role: 'status', class: 'quiet' });
  const copy = () => navigator.clipboard.writeText(command).then(() => { said.textContent = 'Copied'; }, () => { said.textContent = 'Select and copy it by hand'; });
  return [make('pre', {}, make('code', {}, command)), make('p', {}, make('button', { type: 'button', class: 'second small', onclick: copy }, 'Copy'), ' ', said)];
}

function article(api, base, found) {
  const { method, path, operation, id, waysIn } = found;
  const { parameters = [], requestBody, responses = {} } = operation;
  const who = waysIn.length ? waysIn.map((name) => api.components?.securitySchemes?.[name]?.description ?? name).join('; or ') : 'anybody';
  const answers = Object.entries(responses).map(([status, { description }]) => [make('code', {}, status), make('span', {}, ...prose(description))]);
  return make('article', { id, class: 'card operation' },
    make('h3', {}, make('span', { class: `method ${method}` }, method.toUpperCase()), ' ', make('a', { href: `#${id}` }, make('code', {}, found.shown))),
    ...paragraphs(purpose(operation)),
    facts([['Who', make('span', {}, ...prose(who))]]),
    ...(parameters.length ? [make('h4', {}, 'Parameters'), facts(parameters.map(parameter))] : []),
    ...(requestBody ? [make('h4', {}, 'Body'), make('p', {}, ...prose(requestBody.description ?? 'JSON'))] : []),
    make('h4', {}, 'Answers'), facts(answers), holds(api, responses['200'] ?? {}),
    make('h4', {}, 'Example'), ...example(curl(base, found)));
}

/** The operations by their first tag. */
function operations(api, prefix) {
  const found = Object.entries(api.paths).flatMap(([path, item]) => METHODS.filter((method) => item[method]).map((method) => {
    const operation = item[method];
    const waysIn = (operation.security ?? api.security ?? []).flatMap(Object.keys);
    const id = `${method}${path.replace(/[^A-Za-z0-9]+/g, '-').replace(/-$/, '')}`;
    return { method, path, operation, waysIn, id, shown: `${prefix}${path}`, tag: operation.tags?.[0] ?? 'other' };
  }));
  return found.reduce((groups, one) => groups.set(one.tag, [...(groups.get(one.tag) ?? []), one]), new Map());
}

/** Shows the operations that have every typed word somewhere in their text. */
function filter(groups) {
  const words = find('filter').value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const { sections, entries } of groups) {
    let inGroup = 0;
    for (const { element, link, text } of entries) {
      const fits = words.every((word) => text.includes(word));
      element.hidden = !fits;
      link.hidden = !fits;
      inGroup += fits;
    }
    for (const section of sections) section.hidden = inGroup === 0;
    shown += inGroup;
  }
  find('found').textContent = words.length ? `${shown} found` : '';
}

async function draw() {
  const answer = await fetch('/openapi.json');
  if (!answer.ok) throw new Error(`the server answers ${answer.status}`);
  const api = await answer.json();
  const prefix = api.servers?.[0]?.url ?? '';
  const base = new URL(prefix, location.href).href.replace(/\/$/, '');
  fill(find('about'), ...paragraphs(api.info.description ?? ''));
  const groups = [...operations(api, prefix)].map(([tag, found]) => {
    const entries = found.map((one) => {
      const element = article(api, base, one);
      const link = make('li', {}, make('a', { href: `#${one.id}` }, make('span', { class: `method ${one.method}` }, one.method.toUpperCase()), ' ', make('code', {}, one.path)));
      return { element, link, text: `${element.textContent} ${tag}`.toLowerCase() };
    });
    const part = make('section', { 'aria-labelledby': `tag-${tag}` }, make('h2', { id: `tag-${tag}` }, tag), ...entries.map(({ element }) => element));
    const contents = make('div', {}, make('p', { class: 'quiet' }, tag), make('ul', { class: 'plain' }, ...entries.map(({ link }) => link)));
    return { sections: [part, contents], entries };
  });
  fill(find('operations'), ...groups.map(({ sections: [part] }) => part));
  fill(find('contents'), ...groups.map(({ sections: [, contents] }) => contents));
  find('filter').addEventListener('input', () => filter(groups));
  // The browser looked for the place before there was one.
  if (location.hash) document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
}

draw().catch((error) => { find('state').textContent = `The description cannot be read: ${error.message}. Load the page again.`; });
