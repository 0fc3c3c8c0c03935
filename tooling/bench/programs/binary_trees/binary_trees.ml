type tree = Leaf | Node of tree * tree
let rec make d = if d = 0 then Node (Leaf, Leaf) else Node (make (d - 1), make (d - 1))
let rec check = function Leaf -> 0 | Node (l, r) -> 1 + check l + check r
let () =
  let max = int_of_string Sys.argv.(1) in
  Printf.printf "stretch %d\n" (check (make (max + 1)));
  let keep = make max in
  let d = ref 4 in
  while !d <= max do
    let n = 1 lsl (max - !d + 4) in
    let sum = ref 0 in
    for _ = 1 to n do sum := !sum + check (make !d) done;
    Printf.printf "%d trees of depth %d: %d\n" n !d !sum;
    d := !d + 4
  done;
  Printf.printf "kept %d\n" (check keep)
