// The service: questions, and the stream of what happens. The key lives in sessionStorage and nowhere else.

const KEY = 'chronotope-key'
const SILENT_MS = 15_000

export const heldKey = () => sessionStorage.getItem(KEY) || ''
export function holdKey(key) {
  if (key) sessionStorage.setItem(KEY, key)
  else sessionStorage.removeItem(KEY)
}

/** What went wrong, with the status of the answer; 0 = there was none. */
export class Refusal extends Error {
  constructor(status, message) {
    super(message)
    this.status = status
  }
}

function headers(extra = {}) {
  const key = heldKey()
  return key ? { ...extra, authorization: `Bearer ${key}` } : extra
}

async function refused(answer) {
  const told = await answer.json().catch(() => ({}))
  return new Refusal(answer.status, told.error || `the service answered ${answer.status}`)
}

/** Ask the service; a body makes it a POST. */
export async function ask(path, body, signal) {
  let answer
  try {
    answer = await fetch(path, body === undefined
      ? { headers: headers(), signal }
      : { method: 'POST', headers: headers({ 'content-type': 'application/json' }), body: JSON.stringify(body), signal })
  } catch (error) {
    if (error.name === 'AbortError') throw error
    throw new Refusal(0, 'the service does not answer')
  }
  if (!answer.ok) throw await refused(answer)
  return answer.json()
}

/** Events of a text/event-stream body, one by one: [name, data]. */
async function* messages(body, alive) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader()
  let held = ''
  for (;;) {
    const { value, done } = await reader.read()
    if (done) return
    alive()
    held += value.replaceAll('\r', '')
    for (let end = held.indexOf('\n\n'); end >= 0; end = held.indexOf('\n\n')) {
      let name = 'message'
      const data = []
      for (const line of held.slice(0, end).split('\n')) {
        if (line.startsWith('event:')) name = line.slice(6).trim()
        else if (line.startsWith('data:')) data.push(line.slice(5).trimStart())
      }
      held = held.slice(end + 2)
      if (data.length) yield [name, JSON.parse(data.join('\n'))]
    }
  }
}

/** Follow the stream for good: `told(name, data)` for each message, `state(word, refusal)` as the connection changes. */
export async function follow(told, state) {
  for (let tries = 0; ; tries += 1) {
    const stop = new AbortController()
    let timer
    const alive = () => {
      clearTimeout(timer)
      timer = setTimeout(() => stop.abort(), SILENT_MS)
    }
    try {
      alive()
      const answer = await fetch('v1/live/stream', { headers: headers({ accept: 'text/event-stream' }), signal: stop.signal })
      if (!answer.ok) throw await refused(answer)
      for await (const [name, data] of messages(answer.body, alive)) {
        if (name === 'snapshot') state('live')
        tries = 0
        told(name, data)
      }
      state('lost')
    } catch (error) {
      state('lost', error instanceof Refusal ? error : undefined)
      if (error.status === 401 || error.status === 403) await changedKey()
    } finally {
      clearTimeout(timer)
    }
    await new Promise((resume) => setTimeout(resume, Math.min(500 * 2 ** tries, 15_000)))
  }
}

const changedKey = () => new Promise((resume) => addEventListener('keychanged', resume, { once: true }))
