// The colour of a count: nine steps, even in perceived lightness, told apart without red and green; and its legend.
// Lightness falls with the count on a light page and rises on a dark one, so that much always stands out.

import { h } from './dom.js'
import { count } from './words.js'

const LIGHT = ['#e8eeb6', '#afde9f', '#69cc9c', '#00b5a4', '#0096a2', '#057999', '#185c8c', '#2d406c', '#2b2a46']
const DARK = ['#2e3254', '#2a4a79', '#006695', '#04839c', '#139fa3', '#27bda1', '#7ed29c', '#bfe2a3', '#f5f2bf']

export const isDark = () => {
  const chosen = document.documentElement.dataset.theme
  return chosen ? chosen === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches
}

/** Counts from 1 to `most` to colours, by their logarithm. */
export function scale(most) {
  const steps = isDark() ? DARK : LIGHT
  const top = Math.log1p(Math.max(most, steps.length))
  const step = (n) => Math.min(Math.floor((Math.log1p(n) / top) * steps.length), steps.length - 1)
  return { of: (n) => steps[step(n)], light: (n) => (step(n) < 4) !== isDark(), steps, top }
}

/** What the colours mean. */
export function legend(most, unit) {
  const { steps, top } = scale(most)
  const least = steps.map((_, i) => Math.max(Math.ceil(Math.expm1((top * i) / steps.length)), 1))
  const list = h('ol', { 'aria-label': `Colours: ${unit}` })
  steps.forEach((colour, i) => {
    if (i + 1 < steps.length && least[i] === least[i + 1]) return
    const patch = h('i', { 'aria-hidden': 'true' })
    patch.style.background = colour
    list.append(h('li', {}, patch, i === steps.length - 1 ? `${count(least[i])}+` : count(least[i])))
  })
  return h('div', {}, h('span', {}, unit), list)
}
