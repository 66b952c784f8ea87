// The stream of events, newest first. It can be held still; screen readers hear a summary, not every line.

import { calm, find, h, say } from './dom.js'
import { many, plain } from './words.js'

const MOST = 12
const CALM_ABOVE = 3 // events at once: more do not slide in, which would be a flicker
const SAY_MS = 6000
const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' })
let list, said, held, note
let [waiting, missed, sayAt, unsaid, newest] = [[], 0, 0, 0, null]

/** Lay the panel out; `open(user)` is called with the user of a line that was chosen. */
export function begin(open) {
  list = h('ol', { class: 'stream' })
  said = h('p', { class: 'hidden', role: 'status' })
  note = h('p', { class: 'soft' }, 'Waiting for the first event …')
  held = h('button', { type: 'button', id: 'pause', 'aria-pressed': 'false', onclick: hold }, 'Pause')
  list.addEventListener('click', (event) => {
    const button = event.target.closest('button')
    if (button) open(button.dataset.user)
  })
  find('panel-stream').append(h('div', { class: 'head' }, note, held), list, said)
}

function hold() {
  const on = held.getAttribute('aria-pressed') !== 'true'
  held.setAttribute('aria-pressed', String(on))
  say(held, on ? 'Resume' : 'Pause')
  if (!on) {
    add(waiting, missed)
    ;[waiting, missed] = [[], 0]
  }
}

/** What an event was, in words: "check-in · Blue Café". */
export const named = (event) => event.title || event.item || 'no item'

function row(event, names, moves) {
  const user = names ? h('button', { type: 'button', 'data-user': event.user, title: 'Show this user' }, event.user) : h('span', { class: 'who' }, event.user)
  const marks = []
  if (event.rank > 0) marks.push(h('span', { class: 'mark good' }, `predicted, ${place(event.rank)}`))
  if (event.rank === 0) marks.push(h('span', { class: 'mark' }, 'not in the list'))
  if (event.new) marks.push(h('span', { class: 'mark new' }, 'new item'))
  return h('li', { class: moves ? 'come' : null, 'data-by': event.user },
    h('time', { datetime: new Date(event.time_ms).toISOString() }, clock.format(event.time_ms)),
    h('span', { class: 'what' }, h('b', {}, named(event)), h('span', { class: 'soft' }, [plain(event.action), event.category].filter(Boolean).join(' · '))),
    h('span', { class: 'by' }, user, ...marks))
}

/** 1 → "first of the list", 4 → "4th". */
const place = (rank) => ['1st', '2nd', '3rd'][rank - 1] || `${rank}th`

function add(events, skipped, names = add.names) {
  add.names = names
  if (!events.length) return
  list.prepend(...events.slice(-MOST).reverse().map((event) => row(event, names, events.length <= CALM_ABOVE && !calm())))
  while (list.children.length > MOST) list.lastElementChild.remove()
  newest = events.at(-1)
  unsaid += events.length + skipped
}

/** Take away what is shown, or waits to be, of users who were forgotten. */
export function forget(users) {
  if (!users.length) return
  waiting = waiting.filter((event) => !users.includes(event.user))
  for (const line of [...list.children]) if (users.includes(line.dataset.by)) line.remove()
}

/** Show events that came. */
export function show(events, skipped, live, now = performance.now()) {
  if (held.getAttribute('aria-pressed') === 'true') {
    waiting = [...waiting, ...events].slice(-MOST)
    missed += events.length + skipped
    add.names = live.names
    say(note, `Held still; ${many(missed, 'event')} came since`)
    return
  }
  add(events, skipped, live.names)
  if (newest) say(note, live.names ? 'Choose a user to see what comes next' : 'Users are told by pseudonyms: this service has no keys')
  if (unsaid && now - sayAt > SAY_MS) {
    say(said, `${many(unsaid, 'event')}, the newest: ${plain(newest.action)}, ${named(newest)}`)
    ;[sayAt, unsaid] = [now, 0]
  }
}
