(* The same operations as collections.reml on OCaml's Map, Set, Hashtbl, List and Array. *)

module M = Map.Make (Int)
module S = Set.Make (Int)
module H = Hashtbl.Make (struct
  type t = int
  let equal = Int.equal
  let hash = Hashtbl.hash
end)

let key i n = i * 611_953 mod n

(* What `f` makes of an accumulator and each number below `n`. *)
let rec over i n acc f = if i >= n then acc else over (i + 1) n (f acc i) f

let map_from start step n = over 0 n M.empty (fun map i -> M.add (start + (key i n * step)) i map)
let map_of n = map_from 0 1 n
let set_from start step n = over 0 n S.empty (fun set i -> S.add (start + (key i n * step)) set)

let table_of n =
  let table = H.create 1 in
  for i = 0 to n - 1 do H.replace table (key i n) i done;
  table

let list_of n = over 0 n [] (fun list i -> key i n :: list)
let head list = match list with [] -> 0 | x :: _ -> x

(* List.map and (@) are not tail recursive in OCaml 4: these are the library's tail-recursive ones. *)
let map f list = List.rev (List.rev_map f list)
let append a b = List.rev_append (List.rev a) b

let report name elements run =
  let times = max 1 (200_000 / elements) in
  let checksum = ref 0 and best = ref infinity in
  let begun = Sys.time () and rounds = ref 3 in
  while !rounds > 0 && Sys.time () -. begun <= 0.5 do
    decr rounds;
    let start = Sys.time () in
    let sum = over 0 times 0 (fun sum _ -> sum + Sys.opaque_identity (run ())) in
    let took = Sys.time () -. start in
    checksum := sum / times;
    best := min !best (took *. 1e9 /. float_of_int (elements * times))
  done;
  Printf.printf "%s\t%d\t%.3f\n" name !checksum !best

let maps n few =
  let map = map_of n in
  let even = map_from 0 2 n in
  let odd = map_from 1 2 n in
  let added = map_from 1 (n / few * 2) few in
  let sum _ a b = Some (a + b) in
  report "map: insert" n (fun () -> M.cardinal (map_of n));
  report "map: look up" n (fun () ->
      over 0 n 0 (fun sum i -> sum + match M.find_opt (key i n) map with Some value -> value | None -> 0));
  report "map: iterate" n (fun () -> Seq.fold_left (fun sum (_, value) -> sum + value) 0 (M.to_seq map));
  report "map: fold" n (fun () -> M.fold (fun _ value sum -> sum + value) map 0);
  report "map: map values" n (fun () -> M.cardinal (M.map (fun value -> value + 1) map));
  report "map: filter half" n (fun () -> M.cardinal (M.filter (fun _ value -> value mod 2 = 0) map));
  report "map: remove all" n (fun () -> M.cardinal (over 0 n map (fun rest i -> M.remove (key i n) rest)));
  report "map: merge equal sizes" (n * 2) (fun () -> M.cardinal (M.union sum even odd));
  (* `cardinal` is O(n) here, so the result is asked for its least key. *)
  report "map: merge few into many" few (fun () -> n + few + fst (M.min_binding (M.union sum even added)))

let sets n few =
  let set = set_from 0 1 n in
  let even = set_from 0 2 n in
  let third = set_from 0 3 n in
  let added = set_from 1 (n / few * 2) few in
  report "set: insert" n (fun () -> S.cardinal (set_from 0 1 n));
  report "set: contains" n (fun () -> over 0 (n * 2) 0 (fun sum i -> if S.mem i set then sum + 1 else sum));
  report "set: iterate" n (fun () -> Seq.fold_left (fun sum x -> sum + x) 0 (S.to_seq set));
  report "set: union" (n * 2) (fun () -> S.cardinal (S.union even third));
  report "set: intersection" (n * 2) (fun () -> S.cardinal (S.inter even third));
  report "set: difference" (n * 2) (fun () -> S.cardinal (S.diff even third));
  report "set: union of many and few" few (fun () -> n + few + S.min_elt (S.union even added))

let tables n =
  let table = table_of n in
  report "table: insert" n (fun () -> H.length (table_of n));
  report "table: look up" n (fun () ->
      over 0 n 0 (fun sum i -> sum + match H.find_opt table (key i n) with Some value -> value | None -> 0));
  report "table: iterate" n (fun () -> Seq.fold_left (fun sum (_, value) -> sum + value) 0 (H.to_seq table));
  report "table: count" n (fun () ->
      let counts = H.create 1 in
      for i = 0 to n - 1 do
        let key = key i n / 10 in
        H.replace counts key (match H.find_opt counts key with Some count -> count + 1 | None -> 1)
      done;
      H.length counts);
  report "table: fill and empty" n (fun () ->
      let rest = table_of n in
      for i = 0 to n - 1 do H.remove rest i done;
      H.length rest)

let lists n =
  let list = list_of n in
  report "list: push to the front" n (fun () -> head (list_of n));
  report "list: fold" n (fun () -> List.fold_left (fun sum x -> sum + x) 0 list);
  report "list: map" n (fun () -> head (map (fun x -> x + 1) list));
  report "list: filter half" n (fun () -> List.length (List.filter (fun x -> x mod 2 = 0) list));
  report "list: append" n (fun () -> head (append list list));
  report "list: reverse" n (fun () -> head (List.rev list));
  report "list: sort" n (fun () -> head (List.sort Int.compare list))

let arrays n =
  let array = Array.init n (fun i -> key i n) in
  report "array: sort" n (fun () ->
      let copy = Array.copy array in
      Array.stable_sort Int.compare copy;
      copy.(0))

let () =
  let n = int_of_string Sys.argv.(1) in
  let few = min 1000 (n / 10) in
  maps n few;
  sets n few;
  tables n;
  lists n;
  arrays n
