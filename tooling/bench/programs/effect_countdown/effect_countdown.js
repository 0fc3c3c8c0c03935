// Operations are what a generator yields, answers what it is resumed with.
const GET = { put: false, value: 0 };

function* countdown() {
  for (;;) {
    const n = yield GET;
    if (n === 0) return n;
    yield { put: true, value: n - 1 };
  }
}

let state = Number(process.argv[2] ?? 50000000);
const computation = countdown();
let step = computation.next();
while (!step.done) {
  if (step.value.put) state = step.value.value;
  step = computation.next(state);
}
console.log(String(step.value));
