let rec range a b () = if a >= b then Seq.Nil else Seq.Cons (a, range (a + 1) b)
let () =
  let n = int_of_string Sys.argv.(1) in
  range 0 n |> Seq.map (fun i -> i * 3 + 1) |> Seq.filter (fun x -> x mod 2 = 0) |> Seq.map (fun x -> x / 2)
  |> Seq.fold_left ( + ) 0 |> Printf.printf "%d\n"
