"""The half of Paddock that runs inside a worker's pod: standard library only, no other package of ours."""
