let range n = let rec go i acc = if i < 0 then acc else go (i - 1) (i :: acc) in go (n - 1) []
let map f xs = List.rev (List.rev_map f xs)
let () =
  let n = int_of_string Sys.argv.(1) in
  let total = ref 0 in
  for _ = 1 to 5 do
    let xs = range n |> map (fun i -> i * 3 + 1) |> List.filter (fun x -> x mod 2 = 0) |> map (fun x -> x / 2) in
    total := List.fold_left ( + ) !total xs
  done;
  Printf.printf "%d\n" !total
