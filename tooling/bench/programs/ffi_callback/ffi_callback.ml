type numbers = (int64, Bigarray.int64_elt, Bigarray.c_layout) Bigarray.Array1.t

external sort : numbers -> (int -> int -> int) -> unit = "sort_with"

let () =
  let n = if Array.length Sys.argv > 1 then int_of_string Sys.argv.(1) else 2_000_000 in
  let numbers = Bigarray.(Array1.create int64 c_layout n) in
  for i = 0 to n - 1 do
    numbers.{i} <- Int64.of_int (i * 7919 mod 1000003)
  done;
  sort numbers (fun (x : int) y -> if x < y then -1 else if x > y then 1 else 0);
  Printf.printf "%Ld\n" numbers.{n / 2}
