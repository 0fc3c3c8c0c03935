let () =
  let n = int_of_string Sys.argv.(1) in
  let perm = Array.make n 0 and perm1 = Array.init n (fun i -> i) and count = Array.make n 0 in
  let max_flips = ref 0 and checksum = ref 0 and r = ref n and nperm = ref 0 in
  try
    while true do
      while !r <> 1 do count.(!r - 1) <- !r; decr r done;
      for i = 0 to n - 1 do perm.(i) <- perm1.(i) done;
      let flips = ref 0 in
      while perm.(0) <> 0 do
        let i = ref 0 and j = ref perm.(0) in
        while !i < !j do
          let t = perm.(!i) in
          perm.(!i) <- perm.(!j); perm.(!j) <- t; incr i; decr j
        done;
        incr flips
      done;
      if !flips > !max_flips then max_flips := !flips;
      checksum := !checksum + (if !nperm land 1 = 0 then !flips else - !flips);
      let again = ref true in
      while !again do
        if !r = n then raise Exit;
        let first = perm1.(0) in
        for i = 0 to !r - 1 do perm1.(i) <- perm1.(i + 1) done;
        perm1.(!r) <- first;
        count.(!r) <- count.(!r) - 1;
        if count.(!r) > 0 then again := false else incr r
      done;
      incr nperm
    done
  with Exit -> Printf.printf "%d\nPfannkuchen(%d) = %d\n" !checksum n !max_flips
