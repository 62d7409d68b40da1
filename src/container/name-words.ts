// Words of which names are made for containers that are given none: what a ship, its cargo or the weather may be.

const words = (text: string): readonly string[] => text.trim().split(/\s+/);

export const ADJECTIVES = words(`
  able agile airy alert amber ample azure balmy bold brave breezy bright brisk calm candid casual cheery chief
  civil clear clever cosy crisp curly daring dapper deft dense eager early earnest easy even exact fair fancy
  festive fine firm fit fleet fluent fond frank fresh gentle giddy glad golden grand handy happy hardy hearty
  honest humble ideal jolly keen kind lively loyal lucid lucky mellow merry mild modest neat nimble noble open
  patient placid plucky polite prime prompt proud quick quiet rapid ready royal rustic salty serene sharp silent
  silver sleek smart snug solid sound spry stable steady stout subtle sunny swift tender tidy trim trusty vast
  vivid warm wary wise witty zesty
`);

export const NOUNS = words(`
  albatross anchor atoll ballast barge barque bay beacon bilge boatswain bollard boom bosun bow bowline brig
  buoy canoe cape captain cargo catamaran channel chart clipper coast compass coral cove coxswain crane crate
  current cutter davit deck delta dinghy dock dolphin estuary ferry fjord fleet foghorn frigate galleon galley
  gangway gull halyard harbour harpoon hatch haven helm heron hold hull island jetty jib kayak keel ketch knot
  lagoon lantern lighthouse locker logbook longboat lugger mainsail marina mast mate mooring narwhal navigator
  oar ocean orca osprey otter paddle pelican penguin petrel pier pilot plank port propeller prow puffin quay
  raft reef rigging rudder sail sailor schooner sextant shoal skiff skipper sloop spar stern steward strait surf
  swell tern tide tiller topsail trawler tug turtle vessel voyage walrus wave whale wharf winch windlass yacht
  yawl
`);
