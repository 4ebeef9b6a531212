import { serve } from "./ostinato.js";

serve(self);
