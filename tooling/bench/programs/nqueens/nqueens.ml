let rec safe q d = function
  | [] -> true
  | h :: t -> h <> q && h <> q + d && h <> q - d && safe q (d + 1) t
let rec try_columns q board acc =
  if q = 0 then acc else try_columns (q - 1) board (if safe q 1 board then (q :: board) :: acc else acc)
let rec extend n boards acc = match boards with
  | [] -> acc
  | board :: rest -> extend n rest (try_columns n board acc)
let rec place n k boards = if k = 0 then boards else place n (k - 1) (extend n boards [])
let () =
  let n = int_of_string Sys.argv.(1) in
  Printf.printf "%d\n" (List.length (place n n [ [] ]))
