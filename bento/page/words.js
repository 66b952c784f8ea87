// Numbers, times and shares as people say them.

const whole = new Intl.NumberFormat('en')
const short = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 3 })
const moment = new Intl.DateTimeFormat('en-GB', {
  weekday: 'short', day: 'numeric', month: 'short', year: 'numeric', hour: '2-digit', minute: '2-digit',
})

const daily = new Intl.DateTimeFormat('en-GB', { weekday: 'short', day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' })

export const count = (n) => (n < 100_000 ? whole.format(n) : short.format(n))
export const many = (n, one, more = `${one}s`) => `${count(n)} ${n === 1 ? one : more}`
export const rate = (n) => (n >= 100 ? count(Math.round(n)) : n >= 10 ? n.toFixed(1) : n.toFixed(2).replace(/0$/, ''))

/** A share as a percentage, with a digit more where it is small. */
export function percent(p) {
  if (p >= 0.1) return `${Math.round(100 * p)} %`
  if (p >= 0.01) return `${(100 * p).toFixed(1)} %`
  return p >= 0.001 ? `${(100 * p).toFixed(2)} %` : p > 0 ? '< 0.1 %' : '0 %'
}

/** Milliseconds with the unit that suits them. */
export function milliseconds(ms) {
  if (ms === null || ms === undefined) return '–'
  if (ms < 1) return `${Math.round(1000 * ms)} µs`
  if (ms < 10) return `${ms.toFixed(1)} ms`
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`
}

/** A span of time in one unit: "40 s", "12 min", "5 h", "3 days". */
export function span(seconds) {
  const s = Math.max(seconds, 0)
  if (s < 90) return `${Math.round(s)} s`
  if (s < 5400) return `${Math.round(s / 60)} min`
  if (s < 129_600) return `${Math.round(s / 3600)} h`
  return s < 60 * 86_400 ? `${Math.round(s / 86_400)} days` : `${Math.round(s / (30.4 * 86_400))} months`
}

export const ago = (ms, now) => (now - ms < 5000 ? 'just now' : `${span((now - ms) / 1000)} ago`)
export const when = (ms) => moment.format(new Date(ms))
export const day = (ms) => daily.format(new Date(ms))
export const bytes = (n) => (n < 1e6 ? `${Math.round(n / 1e3)} kB` : `${(n / 1e6).toFixed(n < 1e7 ? 1 : 0)} MB`)

/** Names of actions as they come, readable: "add_to_cart" is "add to cart". */
export const plain = (name) => name.replaceAll('_', ' ')
