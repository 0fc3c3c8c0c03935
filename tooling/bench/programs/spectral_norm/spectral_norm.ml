let a i j = 1. /. float ((i + j) * (i + j + 1) / 2 + i + 1)
let mul n v out =
  for i = 0 to n - 1 do
    let s = ref 0. in
    for j = 0 to n - 1 do s := !s +. a i j *. Array.get v j done;
    out.(i) <- !s
  done
let mul_t n v out =
  for i = 0 to n - 1 do
    let s = ref 0. in
    for j = 0 to n - 1 do s := !s +. a j i *. Array.get v j done;
    out.(i) <- !s
  done
let () =
  let n = int_of_string Sys.argv.(1) in
  let u = Array.make n 1. and v = Array.make n 0. and t = Array.make n 0. in
  for _ = 1 to 10 do mul n u t; mul_t n t v; mul n v t; mul_t n t u done;
  let vbv = ref 0. and vv = ref 0. in
  for i = 0 to n - 1 do vbv := !vbv +. u.(i) *. v.(i); vv := !vv +. v.(i) *. v.(i) done;
  Printf.printf "%.9f\n" (sqrt (!vbv /. !vv))
