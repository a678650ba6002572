// What the conformance suite uses of vitest, for a page: collects tests, runs them in order, and answers what became of each.

const tests = [];
const before = [];
const after = [];
const path = [];

const add = (name, body, isExpectedToFail) => tests.push({ name: [...path, name].join(' › '), body, isExpectedToFail });

export const test = Object.assign((name, body) => add(name, body, false), {
  fails: (name, body) => add(name, body, true),
});

export function describe(name, body) {
  path.push(name);
  body();
  path.pop();
}
describe.each = (rows) => (template, body) => {
  for (const row of rows) {
    const values = Array.isArray(row) ? row : [row];
    describe(template.replace('%s', String(values[0])), () => body(...values));
  }
};

export const beforeAll = (body) => before.push(body);
export const afterAll = (body) => after.push(body);

/** Two matchers, for that is all that the suite asks for; another one is an error here, not a test that cannot fail. */
export function expect(got) {
  return {
    toEqual(want) {
      if (JSON.stringify(got) !== JSON.stringify(want))
        throw new Error(`${JSON.stringify(got)} is not ${JSON.stringify(want)}`);
    },
    not: { toThrow: () => void got() },
  };
}

/** Runs what was registered; `report` is told of each test as it ends. */
export async function runTests(report) {
  for (const body of before) await body();
  for (const { name, body, isExpectedToFail } of tests) {
    let error = null;
    try {
      await body();
    } catch (thrown) {
      error = thrown instanceof Error ? thrown.message : String(thrown);
    }
    report({ name, error, isExpectedToFail });
  }
  for (const body of after) await body();
}
