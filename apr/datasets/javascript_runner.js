// Runs each test of a file against a program, and writes JUnit XML: a class name, a line each.
//
//     node javascript_runner.js PROGRAM TESTS REPORT LIMIT_MS
//
// TESTS defines `tests`, an object of functions by name. Each runs in a context of its own, with the
// program loaded anew; a failed console.assert fails it. Random numbers are the same every time. The
// limit of a test is one of processor time, as far as node can tell; after one has run out of it, the
// others get a quarter.
'use strict';
const fs = require('fs');
const vm = require('vm');

const [programPath, testsPath, reportPath, limitText] = process.argv.slice(2);
const MAX_WALL_FACTOR = 32;
let limitMs = Number(limitText);
const suite = programPath.replace(/\.js$/, '');
const program = new vm.Script(fs.readFileSync(programPath, 'utf8'), {filename: programPath});
const tests = new vm.Script(fs.readFileSync(testsPath, 'utf8'), {filename: testsPath});

function assert(condition, ...words) {
  if (!condition) {
    const error = new Error(words.length ? words.join(' ') : 'an assertion does not hold');
    error.isAssertion = true;
    throw error;
  }
}

function makeContext() {
  const silent = () => {};
  const quiet = {assert, log: silent, info: silent, warn: silent, error: silent, debug: silent};
  const context = vm.createContext({console: quiet, require});
  let state = 42;
  context.random = () => (state = (state * 48271) % 2147483647) / 2147483647;
  vm.runInContext('Math.random = random; delete globalThis.random;', context);
  return context;
}

function names() {
  const context = makeContext();
  tests.runInContext(context);
  return vm.runInContext('Object.keys(tests)', context);
}

function run(name) {
  const started = process.hrtime.bigint();
  let error = null;
  try {
    runWithin(name, limitMs);
  } catch (thrown) {
    error = thrown === null || typeof thrown !== 'object' ? new Error(String(thrown)) : thrown;
    limitMs = isTimeout(error) ? Number(limitText) / 4 : limitMs;
  }
  return {name, error, seconds: Number(process.hrtime.bigint() - started) / 1e9};
}

function runWithin(name, timeout) {
  const before = process.cpuUsage();
  try {
    const context = makeContext();
    program.runInContext(context, {timeout});
    tests.runInContext(context, {timeout});
    vm.runInContext(`tests[${JSON.stringify(name)}]()`, context, {timeout});
  } catch (thrown) {
    const {user, system} = process.cpuUsage(before);
    const wasIdle = (user + system) / 1000 < 0.8 * limitMs;
    if (!isTimeout(thrown) || !wasIdle || timeout >= MAX_WALL_FACTOR * limitMs) {
      throw thrown;
    }
    runWithin(name, 2 * timeout); // others had the processor
  }
}

function isTimeout(error) {
  return Boolean(error) && error.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT';
}

function escape(text) {
  const plain = text.replace(/[^\t\n\x20-\uD7FF\uE000-\uFFFD]/g, '?');
  return plain.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}

function render({name, error, seconds}) {
  const head = `<testcase classname="${escape(suite)}" name="${escape(name)}" time="${seconds}"`;
  if (error === null) {
    return `${head}/>`;
  }
  const tag = error.isAssertion ? 'failure' : 'error';
  const message = escape(String(error.message).slice(0, 500));
  const stack = escape(String(error.stack).slice(0, 3000));
  return `${head}><${tag} message="${message}">${stack}</${tag}></testcase>`;
}

const results = names().map(run);
const cases = results.map(render).join('\n');
fs.writeFileSync(reportPath, `<testsuite name="${escape(suite)}">\n${cases}\n</testsuite>\n`);
process.exit(results.some(({error}) => error !== null) ? 1 : 0);
