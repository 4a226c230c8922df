"""ImageNet-AO: pictures of novel attribute-object compositions, as a Hugging Face dataset.

``import imagenet_ao`` makes the name known to ``datasets``::

    import imagenet_ao
    from datasets import load_dataset

    load_dataset("imagenet_ao", data_dir="ImageNet-AO-filtered.zip", split="ood")  # the published
    set load_dataset("imagenet_ao", "mini", split="ood")  # drawn pictures, bundled with the package
    imagenet-ao load_dataset("imagenet_ao", "folder", data_dir="my-pictures")  # one's own, in any
    layout of aobench.layouts

The file stands alone and is a loading script for ``datasets`` 3.6 as well. Config ``v2`` reads the
published archive, a folder or a zip of ``<label>/<image>``; ``mini`` is drawn on the spot and is
not the published benchmark.
"""

# ruff: noqa: PTH100, PTH103, PTH105, PTH107, PTH110, PTH111, PTH112, PTH113, PTH114, PTH116, PTH120, PTH208
# (datasets replaces pathlib.Path in the modules that it streams from.)

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib
import importlib.util
import io
import json
import lzma
import os
import re
import shutil
import stat
import struct
import tempfile
import unicodedata
import warnings
import zipfile
import zlib
from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import chain, islice, pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import datasets

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

logger = datasets.utils.logging.get_logger(__name__)

ARCHIVE_URL = "https://drive.google.com/uc?export=download&confirm=t&id=1qSoz1xmu1kHoZSF2IYRvTD1DTNXNZhKw"
#: Of the files that are read as images. Files with other endings are left out, counted and told.
ENDINGS = (
    *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp"),
    *(".avif", ".bmp", ".gif", ".jp2", ".tif", ".tiff"),
)
#: Beside the label folders these need no word. In a label folder they are told as well.
DOCUMENTS = (
    ".txt",
    ".md",
    ".rst",
    ".csv",
    ".tsv",
    ".json",
    ".yaml",
    ".yml",
    ".html",
    ".pdf",
)
LITTER = (
    ".ds_store",
    "thumbs.db",
    "ehthumbs.db",
    "desktop.ini",
)  # of file managers
MAX_PIXELS = 178_956_970  #: Pillow's own bound against decompression bombs
MAX_BYTES = 1 << 28  #: of one image file
MAX_SHARDS = 64
FACTS = "fingerprints.json"  #: what `prepare` tells of a folder that it wrote


class DatasetError(ValueError):
    """The data cannot be used. The message is one line that says what is wrong and how to mend
    it.
    """


#: The 129 attributes of the published list, each once.
ATTRIBUTES: tuple[str, ...] = tuple(
    """
cracked|dilapidated|dry|folded|wet|jagged|moss covered|rough|textured|wrinkled|transparent|clean|
dirty|dusty|stained blue plaid|checkered|dotted|floral|lined|red striped|speckled|spotted|striped|
arch shaped|arrow shaped|circular|conical|cubed|curved|curly|cylindrical|diamond shaped|domed|
heart shaped|octagonal|oval shaped|rectangular|round|rounded|spherical|spiky|spiral|square|
triangular|aluminum|asphalt|bamboo|brass|brick|cardboard|cement|ceramic|chocolate|chrome|clay|cloth|
cobblestone|concrete|denim|dirt|fabric|fluffy|foamy|furry|glass|granite|gravel|hardwood|iron|jean|
khaki|leather|marble|metal|muddy|paper|pebbled|plastic|plush|porcelain|red brick|rocky|rubber|sandy|
silk|snowy|stainless steel|steel|stone|straw|stucco|styrofoam|tiled|wicker|wooden|water|colorful|
red|pink|purple|green|amber|aqua|beige|black|blond|blue|bluish|bronze|brown|burgundy|fuchsia|golden|
gray|ivory|maroon|murky|orange|purplish|reddish|silver|tan|taupe|teal|terracotta|turquoise|violet|
white|yellow
""".replace("\n", "").split("|")
)

#: ImageNet's 1000 classes in index order: digits of the wnid, and the published name. Where two
#: classes share a name (crane, cardigan, maillot), the published list calls one of them by its
#: wnid.
_CLASSES = """
01440764 tench|01443537 goldfish|01484850 great white shark|01491361 tiger shark|
01494475 hammerhead|01496331 electric ray|01498041 stingray|01514668 cock|01514859 hen|
01518878 ostrich|01530575 brambling|01531178 goldfinch|01532829 house finch|01534433 junco|
01537544 indigo bunting|01558993 robin|01560419 bulbul|01580077 jay|01582220 magpie|
01592084 chickadee|01601694 water ouzel|01608432 kite|01614925 bald eagle|01616318 vulture|
01622779 great grey owl|01629819 european fire salamander|01630670 common newt|01631663 eft|
01632458 spotted salamander|01632777 axolotl|01641577 bullfrog|01644373 tree frog|
01644900 tailed frog|01664065 loggerhead|01665541 leatherback turtle|01667114 mud turtle|
01667778 terrapin|01669191 box turtle|01675722 banded gecko|01677366 common iguana|
01682714 american chameleon|01685808 whiptail|01687978 agama|01688243 frilled lizard|
01689811 alligator lizard|01692333 gila monster|01693334 green lizard|01694178 african chameleon|
01695060 komodo dragon|01697457 african crocodile|01698640 american alligator|01704323 triceratops|
01728572 thunder snake|01728920 ringneck snake|01729322 hognose snake|01729977 green snake|
01734418 king snake|01735189 garter snake|01737021 water snake|01739381 vine snake|
01740131 night snake|01742172 boa constrictor|01744401 rock python|01748264 indian cobra|
01749939 green mamba|01751748 sea snake|01753488 horned viper|01755581 diamondback|
01756291 sidewinder|01768244 trilobite|01770081 harvestman|01770393 scorpion|
01773157 black and gold garden spider|01773549 barn spider|01773797 garden spider|
01774384 black widow|01774750 tarantula|01775062 wolf spider|01776313 tick|01784675 centipede|
01795545 black grouse|01796340 ptarmigan|01797886 ruffed grouse|01798484 prairie chicken|
01806143 peacock|01806567 quail|01807496 partridge|01817953 african grey|01818515 macaw|
01819313 sulphur-crested cockatoo|01820546 lorikeet|01824575 coucal|01828970 bee eater|
01829413 hornbill|01833805 hummingbird|01843065 jacamar|01843383 toucan|01847000 drake|
01855032 red-breasted merganser|01855672 goose|01860187 black swan|01871265 tusker|01872401 echidna|
01873310 platypus|01877812 wallaby|01882714 koala|01883070 wombat|01910747 jellyfish|
01914609 sea anemone|01917289 brain coral|01924916 flatworm|01930112 nematode|01943899 conch|
01944390 snail|01945685 slug|01950731 sea slug|01955084 chiton|01968897 chambered nautilus|
01978287 dungeness crab|01978455 rock crab|01980166 fiddler crab|01981276 king crab|
01983481 american lobster|01984695 spiny lobster|01985128 crayfish|01986214 hermit crab|
01990800 isopod|02002556 white stork|02002724 black stork|02006656 spoonbill|02007558 flamingo|
02009229 little blue heron|02009912 american egret|02011460 bittern|02012849 crane|02013706 limpkin|
02017213 european gallinule|02018207 american coot|02018795 bustard|02025239 ruddy turnstone|
02027492 red-backed sandpiper|02028035 redshank|02033041 dowitcher|02037110 oystercatcher|
02051845 pelican|02056570 king penguin|02058221 albatross|02066245 grey whale|02071294 killer whale|
02074367 dugong|02077923 sea lion|02085620 chihuahua|02085782 japanese spaniel|02085936 maltese dog|
02086079 pekinese|02086240 shih-tzu|02086646 blenheim spaniel|02086910 papillon|
02087046 toy terrier|02087394 rhodesian ridgeback|02088094 afghan hound|02088238 basset|
02088364 beagle|02088466 bloodhound|02088632 bluetick|02089078 black-and-tan coonhound|
02089867 walker hound|02089973 english foxhound|02090379 redbone|02090622 borzoi|
02090721 irish wolfhound|02091032 italian greyhound|02091134 whippet|02091244 ibizan hound|
02091467 norwegian elkhound|02091635 otterhound|02091831 saluki|02092002 scottish deerhound|
02092339 weimaraner|02093256 staffordshire bullterrier|02093428 american staffordshire terrier|
02093647 bedlington terrier|02093754 border terrier|02093859 kerry blue terrier|
02093991 irish terrier|02094114 norfolk terrier|02094258 norwich terrier|02094433 yorkshire terrier|
02095314 wire-haired fox terrier|02095570 lakeland terrier|02095889 sealyham terrier|
02096051 airedale|02096177 cairn|02096294 australian terrier|02096437 dandie dinmont|
02096585 boston bull|02097047 miniature schnauzer|02097130 giant schnauzer|
02097209 standard schnauzer|02097298 scotch terrier|02097474 tibetan terrier|02097658 silky terrier|
02098105 soft-coated wheaten terrier|02098286 west highland white terrier|02098413 lhasa|
02099267 flat-coated retriever|02099429 curly-coated retriever|02099601 golden retriever|
02099712 labrador retriever|02099849 chesapeake bay retriever|02100236 german short-haired pointer|
02100583 vizsla|02100735 english setter|02100877 irish setter|02101006 gordon setter|
02101388 brittany spaniel|02101556 clumber|02102040 english springer|
02102177 welsh springer spaniel|02102318 cocker spaniel|02102480 sussex spaniel|
02102973 irish water spaniel|02104029 kuvasz|02104365 schipperke|02105056 groenendael|
02105162 malinois|02105251 briard|02105412 kelpie|02105505 komondor|02105641 old english sheepdog|
02105855 shetland sheepdog|02106030 collie|02106166 border collie|02106382 bouvier des flandres|
02106550 rottweiler|02106662 german shepherd|02107142 doberman|02107312 miniature pinscher|
02107574 greater swiss mountain dog|02107683 bernese mountain dog|02107908 appenzeller|
02108000 entlebucher|02108089 boxer|02108422 bull mastiff|02108551 tibetan mastiff|
02108915 french bulldog|02109047 great dane|02109525 saint bernard|02109961 eskimo dog|
02110063 malamute|02110185 siberian husky|02110341 dalmatian|02110627 affenpinscher|
02110806 basenji|02110958 pug|02111129 leonberg|02111277 newfoundland|02111500 great pyrenees|
02111889 samoyed|02112018 pomeranian|02112137 chow|02112350 keeshond|02112706 brabancon griffon|
02113023 pembroke|02113186 cardigan|02113624 toy poodle|02113712 miniature poodle|
02113799 standard poodle|02113978 mexican hairless|02114367 timber wolf|02114548 white wolf|
02114712 red wolf|02114855 coyote|02115641 dingo|02115913 dhole|02116738 african hunting dog|
02117135 hyena|02119022 red fox|02119789 kit fox|02120079 arctic fox|02120505 grey fox|
02123045 tabby|02123159 tiger cat|02123394 persian cat|02123597 siamese cat|02124075 egyptian cat|
02125311 cougar|02127052 lynx|02128385 leopard|02128757 snow leopard|02128925 jaguar|02129165 lion|
02129604 tiger|02130308 cheetah|02132136 brown bear|02133161 american black bear|02134084 ice bear|
02134418 sloth bear|02137549 mongoose|02138441 meerkat|02165105 tiger beetle|02165456 ladybug|
02167151 ground beetle|02168699 long-horned beetle|02169497 leaf beetle|02172182 dung beetle|
02174001 rhinoceros beetle|02177972 weevil|02190166 fly|02206856 bee|02219486 ant|
02226429 grasshopper|02229544 cricket|02231487 walking stick|02233338 cockroach|02236044 mantis|
02256656 cicada|02259212 leafhopper|02264363 lacewing|02268443 dragonfly|02268853 damselfly|
02276258 admiral|02277742 ringlet|02279972 monarch|02280649 cabbage butterfly|
02281406 sulphur butterfly|02281787 lycaenid|02317335 starfish|02319095 sea urchin|
02321529 sea cucumber|02325366 wood rabbit|02326432 hare|02328150 angora|02342885 hamster|
02346627 porcupine|02356798 fox squirrel|02361337 marmot|02363005 beaver|02364673 guinea pig|
02389026 sorrel|02391049 zebra|02395406 hog|02396427 wild boar|02397096 warthog|
02398521 hippopotamus|02403003 ox|02408429 water buffalo|02410509 bison|02412080 ram|
02415577 bighorn|02417914 ibex|02422106 hartebeest|02422699 impala|02423022 gazelle|
02437312 arabian camel|02437616 llama|02441942 weasel|02442845 mink|02443114 polecat|
02443484 black-footed ferret|02444819 otter|02445715 skunk|02447366 badger|02454379 armadillo|
02457408 three-toed sloth|02480495 orangutan|02480855 gorilla|02481823 chimpanzee|02483362 gibbon|
02483708 siamang|02484975 guenon|02486261 patas|02486410 baboon|02487347 macaque|02488291 langur|
02488702 colobus|02489166 proboscis monkey|02490219 marmoset|02492035 capuchin|
02492660 howler monkey|02493509 titi|02493793 spider monkey|02494079 squirrel monkey|
02497673 madagascar cat|02500267 indri|02504013 indian elephant|02504458 african elephant|
02509815 lesser panda|02510455 giant panda|02514041 barracouta|02526121 eel|02536864 coho|
02606052 rock beauty|02607072 anemone fish|02640242 sturgeon|02641379 gar|02643566 lionfish|
02655020 puffer|02666196 abacus|02667093 abaya|02669723 academic gown|02672831 accordion|
02676566 acoustic guitar|02687172 aircraft carrier|02690373 airliner|02692877 airship|
02699494 altar|02701002 ambulance|02704792 amphibian|02708093 analog clock|02727426 apiary|
02730930 apron|02747177 ashcan|02749479 assault rifle|02769748 backpack|02776631 bakery|
02777292 balance beam|02782093 balloon|02783161 ballpoint|02786058 band aid|02787622 banjo|
02788148 bannister|02790996 barbell|02791124 barber chair|02791270 barbershop|02793495 barn|
02794156 barometer|02795169 barrel|02797295 barrow|02799071 baseball|02802426 basketball|
02804414 bassinet|02804610 bassoon|02807133 bathing cap|02808304 bath towel|02808440 bathtub|
02814533 beach wagon|02814860 beacon|02815834 beaker|02817516 bearskin|02823428 beer bottle|
02823750 beer glass|02825657 bell cote|02834397 bib|02835271 bicycle-built-for-two|02837789 bikini|
02840245 binder|02841315 binoculars|02843684 birdhouse|02859443 boathouse|02860847 bobsled|
02865351 bolo tie|02869837 bonnet|02870880 bookcase|02871525 bookshop|02877765 bottlecap|
02879718 bow|02883205 bow tie|02892201 brass|02892767 brassiere|02894605 breakwater|
02895154 breastplate|02906734 broom|02909870 bucket|02910353 buckle|02916936 bulletproof vest|
02917067 bullet train|02927161 butcher shop|02930766 cab|02939185 caldron|02948072 candle|
02950826 cannon|02951358 canoe|02951585 can opener|02963159 n02963159|02965783 car mirror|
02966193 carousel|02966687 carpenter's kit|02971356 carton|02974003 car wheel|02977058 cash machine|
02978881 cassette|02979186 cassette player|02980441 castle|02981792 catamaran|02988304 cd player|
02992211 cello|02992529 cellular telephone|02999410 chain|03000134 chainlink fence|
03000247 chain mail|03000684 chain saw|03014705 chest|03016953 chiffonier|03017168 chime|
03018349 china cabinet|03026506 christmas stocking|03028079 church|03032252 cinema|03041632 cleaver|
03042490 cliff dwelling|03045698 cloak|03047690 clog|03062245 cocktail shaker|03063599 coffee mug|
03063689 coffeepot|03065424 coil|03075370 combination lock|03085013 computer keyboard|
03089624 confectionery|03095699 container ship|03100240 convertible|03109150 corkscrew|
03110669 cornet|03124043 cowboy boot|03124170 cowboy hat|03125729 cradle|03126707 n03126707|
03127747 crash helmet|03127925 crate|03131574 crib|03133878 crock pot|03134739 croquet ball|
03141823 crutch|03146219 cuirass|03160309 dam|03179701 desk|03180011 desktop computer|
03187595 dial telephone|03188531 diaper|03196217 digital clock|03197337 digital watch|
03201208 dining table|03207743 dishrag|03207941 dishwasher|03208938 disk brake|03216828 dock|
03218198 dogsled|03220513 dome|03223299 doormat|03240683 drilling platform|03249569 drum|
03250847 drumstick|03255030 dumbbell|03259280 dutch oven|03271574 electric fan|
03272010 electric guitar|03272562 electric locomotive|03290653 entertainment center|
03291819 envelope|03297495 espresso maker|03314780 face powder|03325584 feather boa|03337140 file|
03344393 fireboat|03345487 fire engine|03347037 fire screen|03355925 flagpole|03372029 flute|
03376595 folding chair|03379051 football helmet|03384352 forklift|03388043 fountain|
03388183 fountain pen|03388549 four-poster|03393912 freight car|03394916 french horn|
03400231 frying pan|03404251 fur coat|03417042 garbage truck|03424325 gasmask|03425413 gas pump|
03443371 goblet|03444034 go-kart|03445777 golf ball|03445924 golfcart|03447447 gondola|
03447721 gong|03450230 gown|03452741 grand piano|03457902 greenhouse|03459775 grille|
03461385 grocery store|03467068 guillotine|03476684 hair slide|03476991 hair spray|
03478589 half track|03481172 hammer|03482405 hamper|03483316 hand blower|
03485407 hand-held computer|03485794 handkerchief|03492542 hard disc|03494278 harmonica|
03495258 harp|03496892 harvester|03498962 hatchet|03527444 holster|03529860 home theater|
03530642 honeycomb|03532672 hook|03534580 hoopskirt|03535780 horizontal bar|03538406 horse cart|
03544143 hourglass|03584254 ipod|03584829 iron|03590841 jack-o'-lantern|03594734 jean|03594945 jeep|
03595614 jersey|03598930 jigsaw puzzle|03599486 jinrikisha|03602883 joystick|03617480 kimono|
03623198 knee pad|03627232 knot|03630383 lab coat|03633091 ladle|03637318 lampshade|03642806 laptop|
03649909 lawn mower|03657121 lens cap|03658185 letter opener|03661043 library|03662601 lifeboat|
03666591 lighter|03670208 limousine|03673027 liner|03676483 lipstick|03680355 loafer|
03690938 lotion|03691459 loudspeaker|03692522 loupe|03697007 lumbermill|03706229 magnetic compass|
03709823 mailbag|03710193 mailbox|03710637 maillot|03710721 n03710721|03717622 manhole cover|
03720891 maraca|03721384 marimba|03724870 mask|03729826 matchstick|03733131 maypole|03733281 maze|
03733805 measuring cup|03742115 medicine chest|03743016 megalith|03759954 microphone|
03761084 microwave|03763968 military uniform|03764736 milk can|03769881 minibus|03770439 miniskirt|
03770679 minivan|03773504 missile|03775071 mitten|03775546 mixing bowl|03776460 mobile home|
03777568 model t|03777754 modem|03781244 monastery|03782006 monitor|03785016 moped|03786901 mortar|
03787032 mortarboard|03788195 mosque|03788365 mosquito net|03791053 motor scooter|
03792782 mountain bike|03792972 mountain tent|03793489 mouse|03794056 mousetrap|03796401 moving van|
03803284 muzzle|03804744 nail|03814639 neck brace|03814906 necklace|03825788 nipple|
03832673 notebook|03837869 obelisk|03838899 oboe|03840681 ocarina|03841143 odometer|
03843555 oil filter|03854065 organ|03857828 oscilloscope|03866082 overskirt|03868242 oxcart|
03868863 oxygen mask|03871628 packet|03873416 paddle|03874293 paddlewheel|03874599 padlock|
03876231 paintbrush|03877472 pajama|03877845 palace|03884397 panpipe|03887697 paper towel|
03888257 parachute|03888605 parallel bars|03891251 park bench|03891332 parking meter|
03895866 passenger car|03899768 patio|03902125 pay-phone|03903868 pedestal|03908618 pencil box|
03908714 pencil sharpener|03916031 perfume|03920288 petri dish|03924679 photocopier|03929660 pick|
03929855 pickelhaube|03930313 picket fence|03930630 pickup|03933933 pier|03935335 piggy bank|
03937543 pill bottle|03938244 pillow|03942813 ping-pong ball|03944341 pinwheel|03947888 pirate|
03950228 pitcher|03954731 plane|03956157 planetarium|03958227 plastic bag|03961711 plate rack|
03967562 plow|03970156 plunger|03976467 polaroid camera|03976657 pole|03977966 police van|
03980874 poncho|03982430 pool table|03983396 pop bottle|03991062 pot|03992509 potter's wheel|
03995372 power drill|03998194 prayer rug|04004767 printer|04005630 prison|04008634 projectile|
04009552 projector|04019541 puck|04023962 punching bag|04026417 purse|04033901 quill|04033995 quilt|
04037443 racer|04039381 racket|04040759 radiator|04041544 radio|04044716 radio telescope|
04049303 rain barrel|04065272 recreational vehicle|04067472 reel|04069434 reflex camera|
04070727 refrigerator|04074963 remote control|04081281 restaurant|04086273 revolver|04090263 rifle|
04099969 rocking chair|04111531 rotisserie|04116512 rubber eraser|04118538 rugby ball|04118776 rule|
04120489 running shoe|04125021 safe|04127249 safety pin|04131690 saltshaker|04133789 sandal|
04136333 sarong|04141076 sax|04141327 scabbard|04141975 scale|04146614 school bus|04147183 schooner|
04149813 scoreboard|04152593 screen|04153751 screw|04154565 screwdriver|04162706 seat belt|
04179913 sewing machine|04192698 shield|04200800 shoe shop|04201297 shoji|04204238 shopping basket|
04204347 shopping cart|04208210 shovel|04209133 shower cap|04209239 shower curtain|04228054 ski|
04229816 ski mask|04235860 sleeping bag|04238763 slide rule|04239074 sliding door|04243546 slot|
04251144 snorkel|04252077 snowmobile|04252225 snowplow|04254120 soap dispenser|04254680 soccer ball|
04254777 sock|04258138 solar dish|04259630 sombrero|04263257 soup bowl|04264628 space bar|
04265275 space heater|04266014 space shuttle|04270147 spatula|04273569 speedboat|
04275548 spider web|04277352 spindle|04285008 sports car|04286575 spotlight|04296562 stage|
04310018 steam locomotive|04311004 steel arch bridge|04311174 steel drum|04317175 stethoscope|
04325704 stole|04326547 stone wall|04328186 stopwatch|04330267 stove|04332243 strainer|
04335435 streetcar|04336792 stretcher|04344873 studio couch|04346328 stupa|04347754 submarine|
04350905 suit|04355338 sundial|04355933 sunglass|04356056 sunglasses|04357314 sunscreen|
04366367 suspension bridge|04367480 swab|04370456 sweatshirt|04371430 swimming trunks|
04371774 swing|04372370 switch|04376876 syringe|04380533 table lamp|04389033 tank|
04392985 tape player|04398044 teapot|04399382 teddy|04404412 television|04409515 tennis ball|
04417672 thatch|04418357 theater curtain|04423845 thimble|04428191 thresher|04429376 throne|
04435653 tile roof|04442312 toaster|04443257 tobacco shop|04447861 toilet seat|04456115 torch|
04458633 totem pole|04461696 tow truck|04462240 toyshop|04465501 tractor|04467665 trailer truck|
04476259 tray|04479046 trench coat|04482393 tricycle|04483307 trimaran|04485082 tripod|
04486054 triumphal arch|04487081 trolleybus|04487394 trombone|04493381 tub|04501370 turnstile|
04505470 typewriter keyboard|04507155 umbrella|04509417 unicycle|04515003 upright|04517823 vacuum|
04522168 vase|04523525 vault|04525038 velvet|04525305 vending machine|04532106 vestment|
04532670 viaduct|04536866 violin|04540053 volleyball|04542943 waffle iron|04548280 wall clock|
04548362 wallet|04550184 wardrobe|04552348 warplane|04553703 washbasin|04554684 washer|
04557648 water bottle|04560804 water jug|04562935 water tower|04579145 whiskey jug|04579432 whistle|
04584207 wig|04589890 window screen|04590129 window shade|04591157 windsor tie|04591713 wine bottle|
04592741 wing|04596742 wok|04597913 wooden spoon|04599235 wool|04604644 worm fence|04606251 wreck|
04612504 yawl|04613696 yurt|06359193 web site|06596364 comic book|06785654 crossword puzzle|
06794110 street sign|06874185 traffic light|07248320 book jacket|07565083 menu|07579787 plate|
07583066 guacamole|07584110 consomme|07590611 hot pot|07613480 trifle|07614500 ice cream|
07615774 ice lolly|07684084 french loaf|07693725 bagel|07695742 pretzel|07697313 cheeseburger|
07697537 hotdog|07711569 mashed potato|07714571 head cabbage|07714990 broccoli|07715103 cauliflower|
07716358 zucchini|07716906 spaghetti squash|07717410 acorn squash|07717556 butternut squash|
07718472 cucumber|07718747 artichoke|07720875 bell pepper|07730033 cardoon|07734744 mushroom|
07742313 granny smith|07745940 strawberry|07747607 orange|07749582 lemon|07753113 fig|
07753275 pineapple|07753592 banana|07754684 jackfruit|07760859 custard apple|07768694 pomegranate|
07802026 hay|07831146 carbonara|07836838 chocolate sauce|07860988 dough|07871810 meat loaf|
07873807 pizza|07875152 potpie|07880968 burrito|07892512 red wine|07920052 espresso|07930864 cup|
07932039 eggnog|09193705 alp|09229709 bubble|09246464 cliff|09256479 coral reef|09288635 geyser|
09332890 lakeside|09399592 promontory|09421951 sandbar|09428293 seashore|09468604 valley|
09472597 volcano|09835506 ballplayer|10148035 groom|10565667 scuba diver|11879895 rapeseed|
11939491 daisy|12057211 yellow lady's slipper|12144580 corn|12267677 acorn|12620546 hip|
12768682 buckeye|12985857 coral fungus|12998815 agaric|13037406 gyromitra|13040303 stinkhorn|
13044778 earthstar|13052670 hen-of-the-woods|13054560 bolete|13133613 ear|15075141 toilet tissue
"""

#: Published name, in alphabetical order -> (wnid, ImageNet index).
OBJECTS: dict[str, tuple[str, int]] = dict(
    sorted(
        (name, ("n" + digits, index))
        for index, (digits, name) in enumerate(
            entry.split(" ", 1)
            for entry in _CLASSES.replace("\n", "").split("|")
        )
    )
)
_BY_WNID = {wnid: name for name, (wnid, _) in OBJECTS.items()}

#: A missing comma in the authors' list glued two attributes.
ATTRIBUTE_ALIASES = {"stainedblue plaid": "stained blue plaid"}
#: Names in the folders of the first version: two are cut short, one class has a second name.
OBJECT_ALIASES = {
    "egyptian ca": "egyptian cat",
    "lesser pand": "lesser panda",
    "swimming cap": "bathing cap",
}

_ATTRIBUTE_OF = {**{name: name for name in ATTRIBUTES}, **ATTRIBUTE_ALIASES}
_OBJECT_OF = {**{name: name for name in OBJECTS}, **OBJECT_ALIASES}
_LONGEST_ATTRIBUTE = max(len(name.split()) for name in _ATTRIBUTE_OF)


def _words(text: str) -> list[str]:
    """The words of ``text``, parted by spaces or underscores; case and Unicode form are folded."""
    return re.split(
        r"[\s_]+",
        unicodedata.normalize("NFC", text).casefold().strip(" _\t\r\n"),
    )


def parse_label(label: str) -> tuple[str, str] | None:
    """The published attribute and object that ``label`` names, or None: nothing is guessed.

    The longest known attribute that leaves a known object wins. ``red_brick_bakery`` is (red brick,
    bakery).
    """
    words = _words(label)
    for size in range(min(_LONGEST_ATTRIBUTE, len(words) - 1), 0, -1):
        attribute = _ATTRIBUTE_OF.get(" ".join(words[:size]))
        name = _OBJECT_OF.get(" ".join(words[size:]))
        if attribute is not None and name is not None:
            return attribute, name
    return None


# --- the archive: a folder or a zip
# ---------------------------------------------------------------------------------


class Entry(NamedTuple):
    """One image file of an archive: its folder's name, its id, and where its bytes are."""

    label: str
    sample_id: str  #: '<label>/<file name>', NFC
    member: str  #: path inside the archive, as it is written there


def _absolute(path: str) -> str:
    path = os.path.abspath(os.path.expanduser(str(path)))
    if not os.path.exists(path):
        raise DatasetError(f"no such file or folder: {_shown(path)}")
    # the cache is named after it, and half a character can't be written there
    if not path.isprintable():
        raise DatasetError(
            f"the name {_shown(path)} holds what can't be printed: rename it"
        )
    return path


def _regular(path: str) -> str:
    """``path``; DatasetError where it is no regular file: a pipe would hang, a device never
    ends.
    """
    if not os.path.isfile(path):
        raise DatasetError(
            f"{_shown(path)} is not a regular file: give a file or a folder"
        )
    if not os.access(path, os.R_OK):
        raise DatasetError(f"{_shown(path)} can't be read: permission denied")
    return path


def _shown(text: str) -> str:
    """``text`` for a message: escaped where it holds what can't be printed, such as half a
    character.
    """
    return text if text.isprintable() else ascii(text)[1:-1]


def _open_zip(path: str) -> zipfile.ZipFile:
    """The zip at ``path``; DatasetError where it is cut short or names a path outside its own
    folder.
    """
    try:
        archive = zipfile.ZipFile(_regular(path))
    except (
        zipfile.BadZipFile,
        OSError,
        NotImplementedError,
        UnicodeError,
        struct.error,
    ) as error:
        raise DatasetError(
            f"{_shown(path)} is not a whole zip file ({error}): download it again"
        ) from None
    for info in archive.infolist():
        parts = re.split(r"[/\\]", info.filename)
        if ".." in parts or parts[0] == "" or ":" in parts[0]:
            raise DatasetError(
                f"{path} holds a member that would be written outside its folder: {info.filename!r}"
            )
        if info.flag_bits & 1:
            raise DatasetError(
                f"{path} is encrypted: unpack it by hand and give the folder as data_dir"
            )
    return archive


def _raise(error: OSError) -> None:
    raise DatasetError(
        f"{_shown(str(error.filename))} cannot be listed: {error.strerror}"
    )


class Tree(NamedTuple):
    """What a folder or a zip holds, as paths inside it that are written as there."""

    files: dict[str, str]  #: by path a mark that changes with its content
    folders: list[str]
    reached_again: list[
        str
    ]  #: links to folders that are in the tree already, whose content isn't listed again


def _tree(path: str) -> Tree:
    """The folder, or the zip, at ``path``."""
    return _folder_tree(path) if os.path.isdir(path) else _zip_tree(path)


def _zip_tree(path: str) -> Tree:
    files, folders = {}, []
    with _open_zip(path) as archive:
        for info in archive.infolist():
            if info.filename[-1:] in (
                "/",
                "\\",
            ):  # Windows PowerShell 5 writes backslashes
                folders.append(info.filename)
            elif info.filename in files and info.filename.lower().endswith(
                ENDINGS
            ):
                raise DatasetError(
                    f"{path} holds {info.filename!r} twice: unpack it and zip it again"
                )
            else:
                files[info.filename] = f"{info.file_size} {info.CRC:08x}"
    return Tree(files, folders, [])


def _folder_tree(path: str) -> Tree:
    """Links are followed after all else, so that a folder keeps its own name; each folder is
    listed once.
    """
    tree, seen, starts = Tree({}, [], []), set(), [path]
    while starts:
        for folder, below, names in os.walk(starts.pop(0), onerror=_raise):
            inside = folder[len(path) :].strip(os.sep).replace(os.sep, "/")
            real = os.path.realpath(folder)
            if real in seen:
                tree.reached_again.append(inside)
                below.clear()
                continue
            seen.add(real)
            tree.folders.append(inside)
            below.sort()
            starts += [
                f"{folder}/{name}"
                for name in below
                if os.path.islink(f"{folder}/{name}")
            ]
            for name in names:
                tree.files[f"{inside}/{name}".lstrip("/")] = _file_mark(
                    f"{folder}/{name}"
                )
    return tree


def _file_mark(path: str) -> str:
    try:
        state = os.stat(path)
    except (
        OSError
    ):  # such as a dead link: listed here, reported when it is read
        return "unreadable"
    return f"{state.st_size} {state.st_mtime_ns}"


def _files(path: str) -> Iterator[tuple[str, str]]:
    """(path inside, mark of its content) of each file below the folder, or in the zip, at
    ``path``; unsorted.
    """
    yield from _tree(path).files.items()


def _resolve(path: str) -> str:
    """``path``, or the only zip in it where it is a folder that holds nothing else to read."""
    path = _absolute(path)
    if not os.path.isdir(path):
        return _regular(path)
    try:
        names = os.listdir(path)
    except OSError as error:
        raise DatasetError(
            f"{path} cannot be listed: {error.strerror}"
        ) from None
    zips = [
        name
        for name in names
        if name.lower().endswith(".zip") and os.path.isfile(f"{path}/{name}")
    ]
    shown = [name for name in names if name[0] not in "._"]
    if len(zips) == 1 and not any(
        os.path.isdir(f"{path}/{n}") or n.lower().endswith(ENDINGS)
        for n in shown
    ):
        return f"{path}/{zips[0]}"
    return path


def _tree_mark(path: str) -> str:
    """16 hex digits that change when a file of the archive is added, removed or changed."""
    digest = hashlib.sha256()
    for name, mark in sorted(_files(_resolve(path))):
        digest.update(f"{name}\0{mark}\n".encode("utf-8", "backslashreplace"))
    return digest.hexdigest()[:16]


def _parts(member: str, zipped: bool) -> list[str]:
    """The parts of a path inside an archive: NFC, without ``.``, what is no Unicode escaped."""
    text = unicodedata.normalize(
        "NFC", member.encode("utf-8", "backslashreplace").decode()
    )
    return [
        part
        for part in re.split(r"[/\\]" if zipped else "/", text)
        if part not in ("", ".")
    ]


def _listing(path: str) -> tuple[list[Entry], dict[str, list[str]]]:
    """The images of the archive at ``path`` (see `_resolve`), sorted by sample id, and what else is
    in it.

    That is told by why it is left out: ``ending`` (files that end otherwise than images),
    ``hidden`` (images whose name or folder begins with a dot), ``reached_again`` (links to a folder
    that is read under another name), ``no_image`` (folders with nothing in them that could be
    read).
    """
    tree, zipped = _tree(path), not os.path.isdir(path)
    entries: list[Entry] = []
    others: list[list[str]] = []
    left: dict[str, list[str]] = defaultdict(list)
    for member in sorted(tree.files):
        parts = _parts(member, zipped)
        name, hidden = (
            parts[-1].lower(),
            any(part.startswith(".") for part in parts),
        )
        if name in LITTER or name.startswith("._") or "__MACOSX" in parts:
            continue
        if not name.endswith(ENDINGS):
            others += [] if hidden else [parts]
        elif hidden:
            left["hidden"].append("/".join(parts))
        else:
            label = parts[-2] if len(parts) > 1 else ""
            entries.append(Entry(label, f"{label}/{parts[-1]}", member))
    full = {tuple(_parts(entry.member, zipped)[:-1]) for entry in entries}
    strange = [
        parts
        for parts in others
        if tuple(parts[:-1]) in full
        or not parts[-1].lower().endswith(DOCUMENTS)
    ]
    left["ending"] = ["/".join(parts) for parts in strange]
    left["reached_again"] = sorted(tree.reached_again)
    left["no_image"] = _folders_without_images(
        tree, zipped, full | {tuple(parts[:-1]) for parts in strange}
    )
    entries.sort(key=lambda entry: entry.sample_id)
    return entries, {why: names for why, names in left.items() if names}


def _folders_without_images(
    tree: Tree, zipped: bool, known: set[tuple[str, ...]]
) -> list[str]:
    """Folders with no folder in them that are not among the ``known``, which hold images or are
    told otherwise.
    """
    folders = {tuple(_parts(name, zipped)) for name in tree.folders}
    folders |= {tuple(_parts(name, zipped)[:-1]) for name in tree.files}
    leaves = folders - {folder[:-1] for folder in folders} - known
    shown = (
        folder
        for folder in leaves
        if not any(part[0] == "." or part == "__MACOSX" for part in folder)
    )
    return sorted("/".join(folder) for folder in shown if folder)


#: Marks a warning on what is left out of a whole set, which a reader of `label_report` knows.
REPORTED = {"reported": True}
#: Of each reason of `_listing` what stands before the count's examples.
LEFT_OUT = {
    "ending": "files of another ending",
    "hidden": "hidden images",
    "reached_again": "folders that a link reaches again",
    "no_image": "folders without an image",
}


def _left_out_line(left: dict[str, list[str]]) -> str:
    """``files of another ending: 3 ('red_banana/0.heic', ...); ...``; nothing where nothing is
    left out.
    """
    parts = []
    for why, names in left.items():
        examples = ", ".join(repr(name) for name in names[:5]) + ", ..." * (
            len(names) > 5
        )
        parts.append(f"{LEFT_OUT[why]}: {len(names)} ({examples})")
    return "; ".join(parts)


def _entries(path: str) -> list[Entry]:
    """The images of the archive at ``path`` (see `_resolve`), sorted by sample id. What is left
    out is told.
    """
    entries, left = _listing(path)
    sentence = _left_out_line(left)
    if not entries:
        raise DatasetError(
            f"{_shown(path)} holds no images: expected ImageNet-AO-filtered/<label>/<image>, or "
            "the label folders" + (f"; it holds {sentence}" if sentence else "")
        )
    twice = [(a, b) for a, b in pairwise(entries) if a.sample_id == b.sample_id]
    if twice:
        first, second = twice[0]
        more = (
            f", and {len(twice) - 1} more such pairs" if len(twice) > 1 else ""
        )
        raise DatasetError(
            f"{path} holds {first.sample_id!r} twice: {first.member!a} and "
            f"{second.member!a}{more}; "
            "rename or remove one"
        )
    if sentence:
        logger.warning(
            "%s: left out are %s.", _shown(path), sentence, extra=REPORTED
        )
    return entries


def label_report(path: str) -> dict[str, Any]:
    """How many images and label folders the archive at ``path`` holds, and what of it is not read.

    Returns ``{"images": int, "labels": int, "unknown_labels": {label: images}, "left_out": {why:
    paths}}``; see `LEFT_OUT` for each why.
    """
    entries, left = _listing(_resolve(path))
    labels = Counter(entry.label for entry in entries)
    unknown = {
        label: count
        for label, count in labels.items()
        if parse_label(label) is None
    }
    return {
        "images": labels.total(),
        "labels": len(labels),
        "unknown_labels": unknown,
        "left_out": left,
    }


def _known(
    entries: list[Entry], known: Any, where: str, on_bad_label: str
) -> list[Entry]:
    """The entries whose label is known; the rest is named in one warning, or in the error."""
    unknown = Counter(
        entry.label for entry in entries if known(entry.label) is None
    )
    if unknown:
        names = ", ".join(
            f"{label!r} ({count})"
            for label, count in sorted(unknown.items())[:20]
        )
        more = f" and {len(unknown) - 20} more" if len(unknown) > 20 else ""
        sentence = (
            f"{unknown.total()} of {len(entries)} images in {where} are under unknown labels: "
            f"{names}{more}"
        )
        if on_bad_label == "stop" or unknown.total() == len(entries):
            raise DatasetError(sentence)
        logger.warning("%s. They are left out.", sentence, extra=REPORTED)
    return [entry for entry in entries if entry.label not in unknown]


class _Reader:
    """Reads members of a folder or a zip as bytes."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.archive = None if os.path.isdir(path) else _open_zip(path)

    def __call__(self, member: str) -> tuple[bytes, str | None]:
        """The bytes, and what is wrong with them (None where nothing is)."""
        if self.archive is None:
            try:
                data = image_bytes(f"{self.path}/{member}")
            except ImageFaultError as error:
                return b"", str(error)
            return data, image_fault(data)
        try:
            size = self.archive.getinfo(member).file_size
            if size > MAX_BYTES:
                return b"", f"{size} bytes, more than {MAX_BYTES}"
            data = self.archive.read(member)
        except (
            zipfile.BadZipFile,
            zlib.error,
            lzma.LZMAError,
            EOFError,
            OSError,
            NotImplementedError,
        ) as error:
            return b"", str(error)
        return data, image_fault(data)


# --- images
# --------------------------------------------------------------------------------------------------


class ImageFaultError(Exception):
    """An image that cannot be read; the message says why."""


#: What turns an image upright, by its EXIF orientation: members of PIL.Image.Transpose.
UPRIGHT = {
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}
ORIENTATION = 0x0112  #: the tag of EXIF
#: An image whose sides differ more than that would fill the memory when its shorter one is scaled
#: to a model's.
MAX_SIDES_RATIO = 1000


def image_bytes(path: str) -> bytes:
    """The bytes of the image file at ``path``. ImageFaultError where it is no regular file or
    can't be read.
    """
    try:
        state = os.stat(path)
        if not stat.S_ISREG(
            state.st_mode
        ):  # a pipe would hang, a device never ends
            raise ImageFaultError("cannot be opened: it is not a regular file")
        if state.st_size > MAX_BYTES:
            raise ImageFaultError(
                f"{state.st_size} bytes, more than {MAX_BYTES}"
            )
        with open(path, "rb") as stream:
            return stream.read()
    except (
        OSError,
        ValueError,
    ) as error:  # ValueError: NUL in the name, or half a character
        raise ImageFaultError(
            f"cannot be opened: {getattr(error, 'strerror', None) or error}"
        ) from error


def upright_image(
    data: bytes,
    draft: int | None = None,
    formats: tuple[str, ...] | None = None,
) -> Any:
    """The image of ``data`` as a PIL image of its own mode, whole, turned as its EXIF orientation
    says.

    Of an animation it is the first frame. An orientation that is none of 1 to 8, or damaged EXIF,
    means upright.

    Args: data: the bytes of an image file. draft: a JPEG may be decoded at 1/2, 1/4 or 1/8 of
        its size, but no side below so many pixels. formats: Pillow's names of the only formats that
        are read; None for all.

    Raises: ImageFaultError: where it can't be decoded, is cut short or damaged, or has too many
        pixels or none.
    """
    from PIL import Image, UnidentifiedImageError

    if not data:
        raise ImageFaultError("the file is empty: no bytes")
    try:
        image = Image.open(io.BytesIO(data), formats=formats)
        _refuse_sizes(*image.size)
        if image.format == "EPS":
            raise ImageFaultError(
                "is EPS, which is a program to be run, not an image"
            )
        if (
            image.format == "PNG"
        ):  # Pillow checks no checksum of the pixels when it decodes
            Image.open(io.BytesIO(data), formats=("PNG",)).verify()
        if draft:
            image.draft("RGB", (draft, draft))
        image.load()
        turn = UPRIGHT.get(_orientation(image))
        kind, upright = (
            image.format,
            image.transpose(Image.Transpose[turn]) if turn else image,
        )
        upright.format = kind
    except (ImageFaultError, MemoryError):
        raise
    except Image.DecompressionBombError as error:
        raise ImageFaultError(f"more than {MAX_PIXELS:,} pixels") from error
    except (
        UnidentifiedImageError
    ) as error:  # its message holds an address in memory, other in every run
        raise ImageFaultError(
            "is no image of a format that Pillow reads"
        ) from error
    except (
        Exception
    ) as error:  # Pillow's plugins raise nearly anything on damaged files
        raise ImageFaultError(
            f"cannot be decoded: {_first_line(error)}"
        ) from error
    return upright


def decode_image(data: bytes, draft: int | None = None) -> Any:
    """The image of ``data`` as an RGB PIL image, upright: what every model and person is shown.

    CMYK, palette and 16-bit grey are converted (16-bit grey keeps its upper 8 bits); transparency
    is laid on white. 32-bit integers and floating-point numbers are refused: no file says which of
    them is white.

    Args:
        data: the bytes of an image file.
        draft: see `upright_image`; quicker, and not the same pixels.

    Raises:
        ImageFaultError: where it can't be read; see `upright_image`.
    """
    from PIL import Image

    image = upright_image(data, draft)
    sixteen = image.mode.startswith("I;16") or (
        image.mode == "I" and image.format in ("PNG", "PPM")
    )
    if sixteen:
        grey = (
            image.convert("I")
            .point(lambda value: value * (1 / 256))
            .convert("L")
        )
        if _zero_is_white(image):
            grey = grey.point(lambda value: 255 - value)
        return grey.convert("RGB")
    if image.mode[0] in "IF":
        numbers = (
            "32-bit integers"
            if image.mode[0] == "I"
            else "floating-point numbers"
        )
        raise ImageFaultError(
            f"holds {numbers}, which don't say what is white: save it with 8 or 16 bits"
        )
    try:
        if (
            image.mode in ("RGBA", "LA", "PA", "La", "RGBa")
            or "transparency" in image.info
        ):
            image = image.convert("RGBA")
            ground = Image.new("RGBA", image.size, "white")
            return Image.alpha_composite(ground, image).convert("RGB")
        return image if image.mode == "RGB" else image.convert("RGB")
    except (
        ValueError,
        TypeError,
        OSError,
    ) as error:  # a mode that Pillow can't convert, such as LAB
        raise ImageFaultError(
            f"cannot be converted from {image.mode} to RGB: {_first_line(error)}"
        ) from error


#: The tag of TIFF that says what 0 is, and its value where that is white.
PHOTOMETRIC, WHITE_IS_ZERO = 0x0106, 0


def _zero_is_white(image: Any) -> bool:
    """Whether a TIFF's numbers grow towards black: Pillow turns such grey over up to 8 bits."""
    return getattr(image, "tag_v2", {}).get(PHOTOMETRIC) == WHITE_IS_ZERO


def image_fault(data: bytes) -> str | None:
    """What makes ``data`` unreadable as an image, or None: `decode_image` decides, at the
    smallest scale.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            decode_image(data, draft=1)
    except ImageFaultError as error:
        return str(error)
    return None


def _refuse_sizes(width: int, height: int) -> None:
    if width < 1 or height < 1:
        raise ImageFaultError(f"has no pixels: {width} x {height}")
    if width * height > MAX_PIXELS:
        raise ImageFaultError(
            f"{width} x {height} pixels are more than {MAX_PIXELS:,}"
        )
    if max(width, height) > MAX_SIDES_RATIO * min(width, height):
        raise ImageFaultError(
            f"{width} x {height} pixels: one side is over {MAX_SIDES_RATIO:,} times the other"
        )


def _orientation(image: Any) -> int:
    try:
        value = image.getexif().get(ORIENTATION)
    except (
        Exception
    ):  # damaged EXIF: Pillow raises what it stumbles on; the pixels are whole
        return 1
    return value if isinstance(value, int) else 1


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


# --- counts of compositions in captions
# -----------------------------------------------------------------------------


COUNT_COLUMNS = ("attribute", "object", "count")


def read_counts(path: str) -> dict[tuple[str, str], int]:
    """Captions by (attribute, object), from a CSV or Parquet file with the columns attribute,
    object and count.

    Warns where the file says that a sample of the captions was counted: 0 does not mean novel
    there. DatasetError, with the line or row, for a count that is no whole number, no name, a pair
    with two counts.
    """
    path = _regular(_absolute(path))
    rows = _count_rows(path)
    counts: dict[tuple[str, str], int] = {}
    first: dict[tuple[str, str], str] = {}
    for where, row in rows:
        names = []
        for key in ("attribute", "object"):
            name = (
                " ".join(_words(row[key])) if isinstance(row[key], str) else ""
            )
            if not name:
                raise DatasetError(
                    f"{path}, {where}: the {key} is {row[key]!r}, no name"
                )
            names.append(name)
        pair = (
            _ATTRIBUTE_OF.get(names[0], names[0]),
            _OBJECT_OF.get(names[1], names[1]),
        )
        if pair in counts:
            raise DatasetError(
                f"{path}, {where}: {' '.join(pair)!r} has a count already, in {first[pair]}; leave "
                "one of the two, or add them up"
            )
        counts[pair], first[pair] = (
            _whole_count(row["count"], f"{path}, {where}: the count"),
            where,
        )
    return counts


def _count_rows(path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Where each row stands, and the row; of a CSV its fields are text."""
    if path.lower().endswith(".parquet"):
        rows = _parquet_counts(path)
        yield from (
            (f"row {number:,}", row) for number, row in enumerate(rows, start=1)
        )
        return
    try:
        tables = importlib.import_module("aobench.csv_tables")
    except ModuleNotFoundError as error:
        raise DatasetError(
            "counts in a CSV are read by the package imagenet-ao: pip install imagenet-ao, or "
            "write "
            f"{path} as Parquet ({error})"
        ) from None
    try:
        for line, row in tables.read_numbered_rows(
            path, COUNT_COLUMNS, "the counts"
        ):
            yield f"line {line:,}", row
    except tables.UserError as error:
        raise DatasetError(str(error)) from None


def _parquet_counts(path: str) -> list[dict[str, Any]]:
    import pyarrow as pa
    from pyarrow.parquet import read_table

    try:
        table = read_table(path, page_checksum_verification=True)
        table.validate(
            full=True
        )  # else a damaged text fails later, as a UnicodeDecodeError
        about = json.loads(
            (table.schema.metadata or {}).get(b"imagenet_ao_audit", b"{}")
        )
    except (pa.ArrowException, OSError, ValueError, RecursionError) as error:
        why = (str(error).splitlines() or ["no reason"])[0]
        raise DatasetError(f"{path} cannot be read as counts: {why}") from None
    for name in COUNT_COLUMNS:
        if table.column_names.count(name) != 1:
            what = (
                "no column"
                if name not in table.column_names
                else "twice the column"
            )
            raise DatasetError(
                f"{path} has {what} {name!r}: expected {', '.join(COUNT_COLUMNS)}"
            )
    about = about if isinstance(about, dict) else {}
    if about.get("sample", 1) != 1:
        warnings.warn(
            f"{path} counts a sample of {about.get('counted')} of {about.get('captions')} "
            "captions: a "
            "composition that it counts 0 times may stand in the others",
            stacklevel=4,
        )
    return table.select(list(COUNT_COLUMNS)).to_pylist()


def _whole_count(value: Any, where: str) -> int:
    """A count of captions: a whole number, as text in plain digits. ``3.0`` is 3, as pandas
    writes it beside nulls.
    """
    text = (
        value
        if isinstance(value, str)
        else ""
        if value is None or isinstance(value, bool)
        else str(value)
    )
    written = re.fullmatch(r"\s*\+?([0-9]{1,18})(?:\.0*)?\s*", text)
    if not written:
        raise DatasetError(
            f"{where} is {value!r}, not a whole number of at least 0 in plain digits"
        )
    return int(written[1])


# --- the bundled set
# ------------------------------------------------------------------------------------------------


def _mini(module: str) -> Any:
    """A module of ``aobench.mini``; DatasetError where the package is not installed."""
    try:
        return importlib.import_module(f"aobench.mini.{module}")
    except ModuleNotFoundError as error:
        hint = "the config 'mini' is drawn by the package imagenet-ao: pip install imagenet-ao"
        raise DatasetError(f"{hint} ({error})") from None


def _mini_mark() -> str:
    """16 hex digits that change with anything that mini is drawn by."""
    digest = hashlib.sha256(
        repr(_mini("splits").IMAGES_PER_COMPOSITION).encode()
    )
    digest.update(_drawing_files())
    return digest.hexdigest()[:16]


@functools.cache
def _drawing_files() -> bytes:
    """What mini is drawn by: names and bytes of the code and the pictures, which are imported once,
    too.
    """
    here = os.path.dirname(os.path.abspath(_mini("splits").__file__))
    names = sorted(
        name
        for name, _ in _files(here)
        if name == "objects.csv"
        or (name.startswith("pictures/") and name.endswith(".webp"))
        or (name.endswith(".py") and "/" not in name)
    )
    content = []
    for name in names:
        with open(f"{here}/{name}", "rb") as stream:
            content += [f"{name}\0".encode(), stream.read()]
    return b"".join(content)


# --- the builder
# --------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class ImageNetAOConfig(datasets.BuilderConfig):
    """What to load, and what to do with bad data.

    For one's own pictures, config ``folder``, ``data_dir`` is a folder, a zip or a list, and
    ``layout``, ``attributes``, ``objects`` and ``with_train`` go to `aobench.layouts.read_layout`.
    ``columns`` says which columns of a list are which (``file=path,attribute=state``).
    ``data_dir``: the published archive, a folder or a zip. ``id_data``: pictures of ImageNet for
    the split ``id`` of ``v2`` and ``folder``, see `aobench.layouts.imagenet`: a folder, zip or tar,
    Parquet with labels, or a dataset's id on the Hub. ``on_bad_label``, ``on_bad_image``: 'stop',
    or 'report', a warning; unknown labels are left out then, bad images are kept. ``counts``: a CSV
    or Parquet file, see `read_counts`. ``only``: make this split of ``mini``, or the split ``id``
    of ``v2``, and no other.
    """

    id_data: str | None = None
    on_bad_label: str = "report"
    on_bad_image: str = "report"
    counts: str | None = None
    only: str | None = None
    layout: str | None = None
    attributes: str | None = None
    objects: str | None = None
    columns: str | None = None
    with_train: bool = False

    def create_config_id(
        self,
        config_kwargs: dict,
        custom_features: datasets.Features | None = None,
    ) -> str:
        """The name of the cache folder: it changes with the data, so that no stale cache is
        served.
        """
        for option in ("on_bad_label", "on_bad_image"):
            if getattr(self, option) not in ("report", "stop"):
                raise DatasetError(
                    f"{option} must be 'report' or 'stop', not {getattr(self, option)!r}"
                )
        for option in self._strange_options():
            if getattr(self, option):
                raise DatasetError(
                    f"the config {self.name!r} takes no {option}"
                )
        if self.only == "id" and self.name == "v2" and not self.id_data:
            raise DatasetError(
                "only='id' takes pictures of ImageNet as id_data"
            )
        marks = {"mark_of_mini": _mini_mark()} if self.name == "mini" else {}
        if self.name == "folder":
            marks["mark_of_data"] = self.own_data().mark
        elif self.data_dir:
            marks["mark_of_data_dir"] = _tree_mark(self.data_dir)
        if self.id_data:
            marks["mark_of_id_data"] = self.class_data().mark
        if self.counts:
            with open(_regular(_absolute(self.counts)), "rb") as stream:
                marks["mark_of_counts"] = hashlib.sha256(
                    stream.read()
                ).hexdigest()[:16]
        return super().create_config_id(
            {**config_kwargs, **marks}, custom_features
        )

    def _strange_options(self) -> tuple[str, ...]:
        """The options that this config does not take."""
        own_options = (
            "layout",
            "attributes",
            "objects",
            "columns",
            "with_train",
        )
        if self.name == "mini":
            return ("data_dir", "id_data", *own_options)
        if self.name == "folder":
            return ("only",)
        return (
            own_options if self.only in (None, "id") else (*own_options, "only")
        )

    def class_data(self) -> Any:
        """The pictures of ImageNet of ``id_data``, read once; DatasetError where they can't be
        used.
        """
        if not hasattr(self, "_class_data"):
            self._class_data = _class_data(os.fspath(self.id_data or ""))
        return self._class_data

    def spelling(self) -> dict[int, str]:
        """By ImageNet's index the name of one's own objects that are its classes, where that is not
        the published one; {} for the config ``v2``.
        """
        if self.name != "folder":
            return {}
        imagenet_class = _layouts("form").imagenet_class
        names = {
            imagenet_class(name)[1]: name for name in self.own_data().objects
        }
        return {
            index: name for index, name in names.items() if index is not None
        }

    def object_names(self) -> list[str]:
        """The names of the objects: one's own, with those of ImageNet's classes where its pictures
        are the split ``id``; else the published ones.
        """
        if self.name != "folder":
            return list(OBJECTS)
        own = list(self.own_data().objects)
        if self.id_data:
            spelling = self.spelling()
            classes = (
                spelling.get(i, name) for name, (_, i) in OBJECTS.items()
            )
            own = sorted({*own, *classes})
        return own

    def own_data(self) -> Any:
        """One's own pictures as `aobench.layouts` reads them, read once; DatasetError where they
        can't be used.
        """
        if not hasattr(self, "_own_data"):
            self._own_data = _own_data(self)
        return self._own_data


class ImageNetAO(datasets.GeneratorBasedBuilder):
    """Novel attribute-object compositions. ``v2``: the published set, split ``ood``; ``mini``:
    ``train, id, ood``.
    """

    BUILDER_CONFIG_CLASS = ImageNetAOConfig
    BUILDER_CONFIGS = [  # noqa: RUF012 (the base class's contract)
        ImageNetAOConfig(
            name="v2",
            version=datasets.Version("2.0.0"),
            description="the published images",
        ),
        ImageNetAOConfig(
            name="mini",
            version=datasets.Version("1.0.0"),
            description="drawn pictures, made on the spot",
        ),
        ImageNetAOConfig(
            name="folder",
            version=datasets.Version("1.0.0"),
            description="one's own pictures, see aobench.layouts",
        ),
    ]
    DEFAULT_CONFIG_NAME = "v2"
    DEFAULT_WRITER_BATCH_SIZE = 256  # images are held as bytes

    def _info(self) -> datasets.DatasetInfo:
        mini = self.config.name == "mini"
        attributes = (
            list(_mini("render").ATTRIBUTES) if mini else list(ATTRIBUTES)
        )
        if self.config.name == "folder":
            attributes = self.config.own_data().attributes
        objects = (
            list(_mini("pictures").objects())
            if mini
            else self.config.object_names()
        )
        features = datasets.Features(
            {
                "image": datasets.Image(),
                "sample_id": datasets.Value("string"),
                "attribute": datasets.ClassLabel(names=attributes),
                "object": datasets.ClassLabel(names=objects),
                "composition": datasets.Value("string"),
                "imagenet_label": datasets.Value("int32"),
                "wnid": datasets.Value("string"),
                "source": datasets.Value("string"),
                "caption_count": datasets.Value("int64"),
                "sha256": datasets.Value("string"),
                **({"recipe": datasets.Value("string")} if mini else {}),
            }
        )
        return datasets.DatasetInfo(
            description=(__doc__ or "").split("\n")[0], features=features
        )

    def _split_generators(
        self, dl_manager: Any
    ) -> list[datasets.SplitGenerator]:
        if self.config.counts:
            read_counts(
                self.config.counts
            )  # refuses a bad file before anything is made
        if self.config.name == "mini":
            return self._mini_generators()
        if self.config.name == "folder":
            return self._own_generators() + self._class_generators()
        return self._archive_generators(dl_manager) + self._class_generators()

    def _archive_generators(
        self, dl_manager: Any
    ) -> list[datasets.SplitGenerator]:
        """The split ``ood`` of the published archive."""
        if self.config.only == "id":
            return []
        archive = (
            _resolve(self.config.data_dir)
            if self.config.data_dir
            else _download(dl_manager)
        )
        entries = _known(
            _entries(archive), parse_label, archive, self.config.on_bad_label
        )
        if self.config.on_bad_image == "stop":
            _stop_on_bad_images(archive, entries)
        return [_generator("ood", "ood", archive, entries)]

    def _class_generators(self) -> list[datasets.SplitGenerator]:
        """The split ``id`` of ImageNet's pictures, where there are some."""
        if not self.config.id_data:
            return []
        data = self.config.class_data()
        for line in data.report.lines()[1:]:
            logger.warning("%s: %s", data.place, line, extra=REPORTED)
        unknown = data.report.left_out.get("unknown_class")
        if self.config.on_bad_label == "stop" and unknown:
            raise DatasetError(
                f"{data.place} has pictures of unknown labels: {unknown['examples']}"
            )
        if self.config.on_bad_image == "stop" and (
            bad := data.unreadable_images()
        ):
            raise DatasetError(
                f"{len(bad)} images in {data.place} cannot be read: {', '.join(bad[:10])}"
            )
        return [_generator("id", "id", data.place, data.pictures)]

    def _mini_generators(self) -> list[datasets.SplitGenerator]:
        splits = _mini("splits")
        if self.config.only not in (None, *splits.SPLITS):
            raise DatasetError(
                f"only={self.config.only!r} is no split of mini: {', '.join(splits.SPLITS)}"
            )
        generators = []
        for name in (self.config.only,) if self.config.only else splits.SPLITS:
            total = (
                len(splits.pairs(novel=name == "ood"))
                * splits.IMAGES_PER_COMPOSITION[name]
            )
            step = max(1, -(-total // MAX_SHARDS))
            ranges = [
                (name, start, min(start + step, total))
                for start in range(0, total, step)
            ]
            options = {"kind": "mini", "archive": "", "shards": ranges}
            generators.append(
                datasets.SplitGenerator(name=name, gen_kwargs=options)
            )
        return generators

    def _own_generators(self) -> list[datasets.SplitGenerator]:
        own = self.config.own_data()
        if self.config.id_data and "id" in own.splits:
            raise DatasetError(
                f"{own.place} has seen pictures of its own (split id), and id_data names others: "
                "leave one of the two out"
            )
        logger.info("%s\n%s", own.place, "\n".join(own.report.lines()))
        for line in (*own.report.notes, *own.report.left_out_lines()):
            logger.warning("%s: %s", own.place, line, extra=REPORTED)
        unknown = [
            f"{reason} {own.report.left_out[reason]}"
            for reason in UNKNOWN
            if reason in own.report.left_out
        ]
        if self.config.on_bad_label == "stop" and unknown:
            raise DatasetError(
                f"{own.place} has pictures of unknown labels: {'; '.join(unknown)}"
            )
        if self.config.on_bad_image == "stop" and (
            bad := own.unreadable_images()
        ):
            raise DatasetError(
                f"{len(bad)} images in {own.place} cannot be read: {', '.join(bad[:10])}"
            )
        return [
            _generator(name, "folder", own.place, pictures)
            for name, pictures in own.splits.items()
        ]

    def _generate_examples(
        self, kind: str, archive: str, shards: list
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        counts = read_counts(self.config.counts) if self.config.counts else {}
        rows: Iterator[dict[str, Any]]
        if kind == "mini":
            rows = chain.from_iterable(_mini_rows(*shard) for shard in shards)
        elif kind == "folder":
            rows = _layouts("form").picture_rows(
                archive, chain.from_iterable(shards), logger.warning
            )
        elif kind == "id":
            rows = _layouts("imagenet.form").class_rows(
                archive,
                chain.from_iterable(shards),
                self.config.spelling(),
                logger.warning,
            )
        else:
            rows = _archive_rows(archive, chain.from_iterable(shards))
        for row in rows:
            name = row["object"]
            wnid, index = (
                (row["wnid"], row["imagenet_label"])
                if kind in ("folder", "id")
                else OBJECTS[name]
            )
            row["composition"] = " ".join(
                filter(None, (row["attribute"], name))
            )
            pair = (
                _counted(row["attribute"], name)
                if kind == "folder"
                else (row["attribute"], name)
            )
            row |= {
                "wnid": wnid,
                "imagenet_label": index,
                "caption_count": counts.get(pair),
            }
            yield row["sample_id"], row


#: Reasons of `aobench.layouts.report` that ``on_bad_label="stop"`` refuses.
UNKNOWN = (
    "unknown_label",
    "unknown_attribute",
    "unknown_object",
    "pair_on_no_list",
)


def _generator(
    split: str, kind: str, place: str, pictures: list[Any]
) -> datasets.SplitGenerator:
    """A split whose pictures lie at a place."""
    options = {"kind": kind, "archive": place, "shards": _shards(pictures)}
    return datasets.SplitGenerator(name=split, gen_kwargs=options)


def _layouts(module: str) -> Any:
    """A module of ``aobench.layouts``; DatasetError where the package is not installed."""
    try:
        return importlib.import_module(f"aobench.layouts.{module}")
    except ModuleNotFoundError as error:
        hint = (
            "the config 'folder' and id_data are read by the package imagenet-ao: pip install "
            "imagenet-ao"
        )
        raise DatasetError(f"{hint} ({error})") from None


def _own_data(config: ImageNetAOConfig) -> Any:
    """What `aobench.layouts.read_layout` makes of the config's ``data_dir``."""
    if not config.data_dir:
        raise DatasetError(
            "the config 'folder' takes a folder, a zip or a list of one's own pictures as data_dir"
        )
    options = {
        name: getattr(config, name)
        for name in ("layout", "attributes", "objects", "columns", "with_train")
    }
    table = _layouts("table")
    try:
        return table.read_layout(os.fspath(config.data_dir), **options)
    except importlib.import_module("aobench.errors").UserError as error:
        raise DatasetError(str(error)) from None


def _class_data(place: str) -> Any:
    """What `aobench.layouts.imagenet.read_imagenet` makes of ``id_data``."""
    table = _layouts("imagenet.table")
    try:
        return table.read_imagenet(place)
    except importlib.import_module("aobench.errors").UserError as error:
        raise DatasetError(str(error)) from None


def _counted(attribute: str, name: str) -> tuple[str, str]:
    """The key of a composition of one's own in `read_counts`."""
    words, thing = " ".join(_words(attribute)), " ".join(_words(name))
    return _ATTRIBUTE_OF.get(words, words), _OBJECT_OF.get(thing, thing)


def _archive_rows(
    archive: str, entries: Iterable[Entry]
) -> Iterator[dict[str, Any]]:
    """Rows of the split ``ood``. An image that cannot be read is kept and told in a warning."""
    read = _Reader(archive)
    for entry in entries:
        data, fault = read(entry.member)
        if fault:
            logger.warning(
                "%s in %s cannot be read: %s. Its row is kept.",
                _shown(entry.member),
                archive,
                fault,
            )
        attribute, name = parse_label(entry.label) or ("", "")
        yield {
            "image": {"bytes": data, "path": None},
            "sample_id": entry.sample_id,
            "attribute": attribute,
            "object": name,
            "source": entry.member.encode("utf-8", "backslashreplace").decode(),
            "sha256": hashlib.sha256(data).hexdigest(),
        }


def _mini_rows(split: str, start: int, stop: int) -> Iterator[dict[str, Any]]:
    """Rows ``start`` to ``stop`` of a split of mini; ``sha256`` is of the RGB values, row by
    row.
    """
    png_bytes = _mini("png").png_bytes
    for sample in islice(_mini("splits").samples(split), start, stop):
        pixels = sample.image()
        yield {
            "image": {"bytes": png_bytes(pixels), "path": None},
            "sample_id": sample.sample_id,
            "attribute": sample.attribute,
            "object": sample.name,
            "source": sample.sample_id,
            "sha256": hashlib.sha256(pixels).hexdigest(),
            "recipe": sample.recipe,
        }


def _shards(entries: list[Any]) -> list[list[Any]]:
    """The entries in at most MAX_SHARDS runs, which worker processes share out."""
    step = max(1, -(-len(entries) // MAX_SHARDS))
    return [
        entries[start : start + step] for start in range(0, len(entries), step)
    ]


def _stop_on_bad_images(archive: str, entries: list[Entry]) -> None:
    """DatasetError if an image cannot be read. Reads each image once."""
    read = _Reader(archive)
    bad = [
        f"{_shown(entry.member)} ({fault})"
        for entry in entries
        if (fault := read(entry.member)[1])
    ]
    if bad:
        more = f" and {len(bad) - 10} more" if len(bad) > 10 else ""
        raise DatasetError(
            f"{len(bad)} of {len(entries)} images in {archive} cannot be read: "
            f"{', '.join(bad[:10])}{more}"
        )


def _download(dl_manager: Any) -> str:
    """Path of the published archive in the cache; DatasetError that names both ways to get it."""
    by_hand = (
        f"download it by hand from {ARCHIVE_URL} and give the zip, or the folder unpacked from it, "
        "as "
        'data_dir: load_dataset("imagenet_ao", data_dir="ImageNet-AO-filtered.zip")'
    )
    if datasets.config.HF_HUB_OFFLINE:
        raise DatasetError(
            "the published archive is not at hand and HF_HUB_OFFLINE is set: unset it, or "
            f"{by_hand}"
        )
    try:
        manager = (
            datasets.DownloadManager()
            if dl_manager.is_streaming
            else dl_manager
        )
        path = manager.download(ARCHIVE_URL)
    except Exception as error:  # whatever the network stack of the day raises
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise DatasetError(
            f"the published archive could not be fetched ({reason}): try again, or {by_hand}"
        ) from None
    if not zipfile.is_zipfile(path):
        raise DatasetError(
            f"what Google Drive sent for the published archive is not a zip: {by_hand}"
        )
    return path


# --- what can be done with a loaded set
# -----------------------------------------------------------------------------


def fingerprint(dataset: datasets.Dataset | datasets.IterableDataset) -> str:
    """16 hex digits of what defines ``dataset``: ids, compositions, and hashes of the images'
    bytes.

    Where images are drawn on the spot (mini), the hash of what each was drawn by stands for its
    bytes, so that a set is the same set on every machine; `pixel_digest` tells whether the pixels
    are, too. No image is decoded. It depends neither on the order of the rows nor on the form that
    they were loaded from.
    """
    made_by = "recipe" if "recipe" in (dataset.column_names or ()) else "sha256"
    return _digest_of_rows(dataset, ["sample_id", made_by, "composition"])


def pixel_digest(
    dataset: datasets.Dataset | datasets.IterableDataset,
) -> str | None:
    """16 hex digits of the pixels of a set that is drawn on the spot; None of another, whose
    fingerprint says it.
    """
    if "recipe" not in (dataset.column_names or ()):
        return None
    return _digest_of_rows(dataset, ["sample_id", "sha256"])


def _digest_of_rows(
    dataset: datasets.Dataset | datasets.IterableDataset, columns: list[str]
) -> str:
    rows: list[tuple[str, ...]] = []
    for batch in (
        dataset.select_columns(columns).with_format(None).iter(batch_size=4096)
    ):
        rows.extend(zip(*(batch[column] for column in columns), strict=True))
    digest = hashlib.sha256()
    for row in sorted(rows):
        digest.update(("\0".join(row) + "\n").encode())
    return digest.hexdigest()[:16]


CARD = """
# ImageNet-AO

Images of attribute-object compositions, to be classified into composition classes. Made by
`imagenet_ao.prepare`.

- **v2**: the second version, a copy of the archive that the authors of
  [arXiv:2407.05897](https://arxiv.org/abs/2407.05897) released, split `ood`. The first version,
  which it follows, is
  that of [arXiv:2403.18525](https://arxiv.org/abs/2403.18525). The archive names no licence, so the
  images' licence is
  unknown: ask the authors before you pass them on.
  `caption_count` is filled in only where counts were given; `attribute` is empty in the split `id`.
- **mini**: drawn pictures with attributes painted on them. It is not the published benchmark, and
  figures on the two
  do not compare. Drawings: Fluent Emoji (MIT) and Noto Emoji (Apache-2.0).
- **folder**: somebody's own pictures in the same form. They are not the published benchmark,
  either, and their licence
  is their owner's to say.

`sha256` is of the image file's bytes in v2 and folder, and of the RGB values in mini. mini's
`recipe` is of what
an image is drawn by (the way of drawing, id, composition, seed, source drawings): by it the set is
known.
"""


def prepare(
    out: str | os.PathLike[str],
    config: str = "v2",
    num_proc: int | None = None,
    max_shard_size: int | str | None = None,
    **builder_kwargs: Any,
) -> str:
    """Write ``config`` as a dataset repository: Parquet files that hold the images' bytes, and a
    README.md.

    ``load_dataset(out, config)`` reads it, and so does the Hub. A second config may be added to the
    same ``out``. ``builder_kwargs`` go to `ImageNetAO`. Returns the absolute path of ``out``.
    """
    out = os.path.abspath(os.path.expanduser(os.fspath(out)))
    try:
        os.makedirs(out, exist_ok=True)
    except (
        FileExistsError,
        ValueError,
    ):  # a file, a link to nothing or to itself; NUL, half a character
        raise DatasetError(
            f"{_shown(out)} can't be made a folder: name another"
        ) from None
    (
        _known_facts(out),
        _known_card(out),
    )  # refuses what is damaged before anything is made
    _remove_leftovers(out)
    with (
        tempfile.TemporaryDirectory(dir=out, prefix=SCRATCH) as scratch,
        _held(scratch),
    ):
        builder = ImageNetAO(
            config_name=config, cache_dir=f"{scratch}/cache", **builder_kwargs
        )
        new_folder = f"{scratch}/made"
        builder.download_and_prepare(
            new_folder,
            file_format="parquet",
            num_proc=num_proc,
            max_shard_size=max_shard_size,
        )
        folder = f"{out}/{config}"
        os.makedirs(folder, exist_ok=True)
        for name in os.listdir(folder):
            if name.endswith(".parquet"):
                os.remove(f"{folder}/{name}")
        for split in builder.info.splits:
            stem = re.compile(
                rf"{builder.dataset_name}-{split}(-\d{{5}}-of-\d{{5}})?\.parquet"
            )
            files = sorted(
                name for name in os.listdir(new_folder) if stem.fullmatch(name)
            )
            for number, name in enumerate(files):
                os.replace(
                    f"{new_folder}/{name}",
                    f"{folder}/{split}-{number:05d}-of-{len(files):05d}.parquet",
                )
        parts = {
            str(split): f"{folder}/{split}-*.parquet"
            for split in builder.info.splits
        }
        rows = datasets.load_dataset(
            "parquet", data_files=parts, cache_dir=f"{scratch}/read"
        )
        facts = {name: _facts(split) for name, split in rows.items()}
        del rows
    patterns = {
        split: mark_files(folder, split, known["fingerprint"])
        for split, known in facts.items()
    }
    _write_facts(out, config, facts)
    _write_card(out, config, builder.info, patterns)
    return out


#: Of the folders that `prepare` works in, beside what it writes.
SCRATCH = ".prepare-"


@contextlib.contextmanager
def _held(scratch: str) -> Iterator[None]:
    """Hold a lock in ``scratch`` that the system lets go of when this process ends, however it
    ends.
    """
    with open(f"{scratch}/lock", "wb") as lock:
        _lock(lock)
        yield


def _lock(stream: Any) -> bool:
    """Whether this process has the lock on an open file now. False, too, where the system knows
    no locks.
    """
    try:
        import fcntl

        fcntl.lockf(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (ImportError, OSError):
        return False
    return True


def _remove_leftovers(out: str) -> None:
    """Remove what a `prepare` that was killed left in ``out``; one that still runs keeps its
    folder.
    """
    for name in os.listdir(out):
        folder = f"{out}/{name}"
        if (
            not name.startswith(SCRATCH)
            or not os.path.isdir(folder)
            or os.path.islink(folder)
        ):
            continue
        try:
            with open(f"{folder}/lock", "r+b") as lock:
                free = _lock(lock)
        except FileNotFoundError:
            free = True
        except OSError:  # another user's
            free = False
        if free:
            logger.warning(
                "%s is of a run that was stopped: it is removed", folder
            )
            shutil.rmtree(folder, ignore_errors=True)


def mark_files(folder: str | os.PathLike[str], split: str, mark: str) -> str:
    """Put a split's fingerprint into the names of its Parquet files; returns the pattern of the new
    names.

    ``datasets`` keeps what it loaded by the patterns of the card's head, not by what the files
    hold: without a mark in them a folder that was made anew would be served as it was before.
    """
    for name in os.listdir(folder):
        match = re.fullmatch(
            rf"{re.escape(split)}-(\d{{5}}-of-\d{{5}}\.parquet)", name
        )
        if match:
            os.replace(
                f"{os.fspath(folder)}/{name}",
                f"{os.fspath(folder)}/{split}-{mark}-{match[1]}",
            )
    return f"{split}-{mark}-*.parquet"


#: Tasks of the benchmark, one a score, and what each says; all are percent, more is better. mini's
#: have the prefix ``mini_``.
TASKS = {
    "composition_top1": "novel compositions named right",
    "attribute_top1": "attribute of a novel composition named right",
    "object_top1": "object of a novel composition named right",
    "choice_top1": "novel compositions chosen right among nine, by a model that is asked no more",
    "seen_novel_auc": "area under seen against novel accuracy, over every bias for novel ones",
    "held_out_harmonic_mean": "harmonic mean of seen and novel accuracy, at a held-out bias",
    "effective_generalization": "OoD accuracy beyond what a baseline's line expects, in points",
}
EVAL_HEAD = """\
name: ImageNet-AO
description: >-
  Novel attribute-object compositions: how often a model names the right composition, attribute and
  object.
  All values are percent (0 to 100, effective_generalization: points), more is better.
  Tasks that begin with mini_ are on drawn pictures and are not the published benchmark.
tasks:
"""


def task_id(task: str, config: str) -> str:
    """The benchmark's id of one of TASKS on a config."""
    return f"mini_{task}" if config == "mini" else task


def _facts(split: datasets.Dataset) -> dict[str, Any]:
    """What fingerprints.json says of a split; ``pixels`` only where the fingerprint does not
    tell them.
    """
    pixels = pixel_digest(split)
    return {"fingerprint": fingerprint(split), "n": len(split)} | (
        {} if pixels is None else {"pixels": pixels}
    )


#: The most bytes of a file beside the Parquet files.
MOST_OF_TEXT = 1 << 26


def _kept_text(path: str) -> str | None:
    """The text of a file that an earlier `prepare` left; None where there is none. DatasetError."""
    if not os.path.lexists(path):
        return None
    mend = "mend it, or delete it and prepare each config anew"
    try:
        if os.stat(_regular(path)).st_size > MOST_OF_TEXT:
            raise DatasetError(
                f"{_shown(path)} is larger than it can be: {mend}"
            )
        with open(path, encoding="utf-8-sig", newline="") as stream:
            return stream.read()
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(
            f"{_shown(path)} can't be read as UTF-8 ({error}): {mend}"
        ) from None


def _known_facts(out: str) -> dict[str, dict[str, Any]]:
    """What ``out``/fingerprints.json says of the configs that are there; {} where there is none."""
    path = f"{out}/{FACTS}"
    text = _kept_text(path)
    if text is None:
        return {}
    try:
        table = json.loads(text)
    except (ValueError, RecursionError) as error:
        why = f"is no JSON ({error})"
    else:
        if isinstance(table, dict) and all(
            isinstance(v, dict) for v in table.values()
        ):
            return table
        why = "holds no table of configs"
    raise DatasetError(
        f"{_shown(path)} {why}: mend it, or delete it and prepare each config anew"
    )


def _known_card(out: str) -> Any:
    """``out``/README.md with its YAML head; None where there is none. DatasetError for a head that
    can't be read, or has none of the shape of a dataset's.
    """
    import yaml
    from datasets.info import DatasetInfosDict
    from datasets.utils.metadata import MetadataConfigs
    from huggingface_hub import DatasetCard

    path = f"{out}/README.md"
    text = _kept_text(path)
    if text is None:
        return None
    try:
        card = DatasetCard(text)
        MetadataConfigs.from_dataset_card_data(card.data)
        DatasetInfosDict.from_dataset_card_data(card.data)
    except (
        ValueError,
        TypeError,
        AttributeError,
        LookupError,
        yaml.YAMLError,
    ) as error:
        why = " ".join(str(error).split())
        raise DatasetError(
            f"{_shown(path)}: its head can't be read ({why}): mend it, or delete it and prepare "
            "each config anew"
        ) from None
    return card


def _write_facts(
    out: str, config: str, facts: dict[str, dict[str, Any]]
) -> None:
    """Add ``config`` to fingerprints.json, and write eval.yaml for the configs that are there."""
    path, table = f"{out}/{FACTS}", _known_facts(out)
    digests = (
        {} if config == "mini" else {"sha256": "file"}
    )  # what the column sha256 is of
    table[config] = {
        split: {**known, **digests} for split, known in facts.items()
    }
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(json.dumps(table, indent=2, sort_keys=True) + "\n")
    lines = [
        f"- id: {task_id(task, name)}\n  config: {name}\n  split: ood\n"
        for name in sorted(table, reverse=True)
        if name
        != "folder"  # somebody's own pictures are no benchmark of the Hub's
        for task in TASKS
    ]
    if not lines:
        return
    with open(f"{out}/eval.yaml", "w", encoding="utf-8") as stream:
        stream.write(EVAL_HEAD + "".join(lines))


def _write_card(
    out: str, config: str, info: datasets.DatasetInfo, patterns: dict[str, str]
) -> None:
    """Add ``config`` to the YAML head of ``out``/README.md; the text is written only where there is
    none.

    ``patterns``: of the names of each split's files.
    """
    from datasets.info import DatasetInfosDict
    from datasets.utils.metadata import MetadataConfigs
    from huggingface_hub import DatasetCard

    card = _known_card(out)
    if card is None:
        head = (
            "license: unknown\npretty_name: ImageNet-AO\ntask_categories:\n- "
            "zero-shot-image-classification"
        )
        card = DatasetCard(f"---\n{head}\n---\n{CARD}")
    files = [
        {"split": split, "path": f"{config}/{pattern}"}
        for split, pattern in patterns.items()
    ]
    entry = {
        "data_files": files,
        **(
            {"default": True}
            if config == ImageNetAO.DEFAULT_CONFIG_NAME
            else {}
        ),
    }
    MetadataConfigs({config: entry}).to_dataset_card_data(card.data)
    DatasetInfosDict({config: info}).to_dataset_card_data(card.data)
    card.save(f"{out}/README.md")


# --- the name
# --------------------------------------------------------------------------------------------------


def register() -> None:
    """Make ``load_dataset("imagenet_ao")`` find this module, and
    ``evaluate.load("compositional_ood")`` the metric where it is installed beside it.

    Libraries may be imported before or after. A folder named ``imagenet_ao`` comes first where
    `prepare` wrote it; any other folder is meant by ``./imagenet_ao``. May be repeated.
    """
    _register_dataset()
    _register_metric()


def _register_dataset() -> None:
    with open(__file__, "rb") as stream:
        code = hashlib.sha256(stream.read()).hexdigest()[:16]
    modules = [
        importlib.import_module(name)
        for name in ("datasets.load", "datasets.inspect")
    ]
    for module in modules:
        original = module.dataset_module_factory
        if getattr(original, "knows_imagenet_ao", False):
            continue

        def factory(
            path: str, *args: Any, _original: Any = original, **kwargs: Any
        ) -> Any:
            if path == "imagenet_ao" and not _is_prepared(path):
                return modules[0].DatasetModule(
                    "imagenet_ao", code, {"dataset_name": "imagenet_ao"}
                )
            return _original(path, *args, **kwargs)

        factory.knows_imagenet_ao = True  # type: ignore[attr-defined]
        module.dataset_module_factory = factory  # type: ignore[attr-defined]


def _is_prepared(folder: str) -> bool:
    """Whether `prepare` wrote it; a line on a folder that has the name and is passed over."""
    if os.path.exists(f"{folder}/{FACTS}"):
        return True
    if os.path.isdir(folder):
        logger.warning(
            f"there is a folder {folder!r} here, and the dataset of that name is loaded; for the "
            f"folder write './{folder}'"
        )
    return False


def _register_metric() -> None:
    """Let the metric's package tell `evaluate` of its name. This file alone comes without it."""
    if importlib.util.find_spec("compositional_ood") is not None:
        metric = importlib.import_module("compositional_ood")
        # a folder of that name has none
        getattr(metric, "register", lambda: None)()


if (
    __name__ == "imagenet_ao"
):  # not as a loading script, whose module has another name
    register()
